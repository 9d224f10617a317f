import {
  type CordonEvent,
  type Endpoint,
  IsolationConfirmed,
  IsolationFailed,
  IsolationPending,
  IsolationUnconfirmed,
  ReleaseConfirmed,
  ReleaseFailed,
  ReleasePending,
  ReleaseUnconfirmed,
} from '@cordon/contracts';
import type { Status } from '@cordon/incident';

/** What following a sensor can turn out. */
export type Turn = 'confirmed' | 'pending' | 'unconfirmed' | 'failed';
type About = { id: string; source: string; at: Date; endpoint: Endpoint };
type Data = { incidentId: string; code: string; explanation: string };

/** One of the two directions: what the sensor must report, and how each turn is told. */
export type Way = {
  noun: 'isolation' | 'release';
  /** What `is_isolated` must become. */
  wished: boolean;
  /** The statuses in which it is still waited for. */
  waiting: readonly Status[];
  statusOf: Record<Turn, Status>;
  offline: string;
  still: string;
  tell(turn: Turn, about: About, data: Data): CordonEvent;
};

const isolation: Way = {
  noun: 'isolation',
  wished: true,
  waiting: ['requested', 'pending', 'unconfirmed'],
  statusOf: { confirmed: 'contained', pending: 'pending', unconfirmed: 'unconfirmed', failed: 'failed' },
  offline: 'is isolated as soon as it is back',
  still: 'It may still be connected',
  tell(turn, about, data) {
    switch (turn) {
      case 'confirmed':
        return IsolationConfirmed.create({ ...about, data: { incidentId: data.incidentId } });
      case 'pending':
        return IsolationPending.create({ ...about, data });
      case 'unconfirmed':
        return IsolationUnconfirmed.create({ ...about, data });
      case 'failed':
        return IsolationFailed.create({ ...about, data });
    }
  },
};

const release: Way = {
  noun: 'release',
  wished: false,
  waiting: ['releasing', 'release_pending', 'release_unconfirmed'],
  statusOf: {
    confirmed: 'released',
    pending: 'release_pending',
    unconfirmed: 'release_unconfirmed',
    failed: 'release_failed',
  },
  offline: 'is reconnected as soon as it is back',
  still: 'It may still be isolated',
  tell(turn, about, data) {
    switch (turn) {
      case 'confirmed':
        return ReleaseConfirmed.create({ ...about, data: { incidentId: data.incidentId } });
      case 'pending':
        return ReleasePending.create({ ...about, data });
      case 'unconfirmed':
        return ReleaseUnconfirmed.create({ ...about, data });
      case 'failed':
        return ReleaseFailed.create({ ...about, data });
    }
  },
};

/** The event that starts the waiting, and for what. */
export const WAYS = { 'isolation.requested': isolation, 'release.accepted': release };
