import { EventEmitter } from 'node:events';
import { type Incident, isClosed } from '@cordon/incident';

/** What the list of incidents shows of one. */
export type Card = Pick<Incident, 'id' | 'status' | 'hostname' | 'openedAt' | 'lastAt' | 'detectionCount'> & {
  title: string;
  severityId: number;
  expiresAt?: string | undefined;
};

const CLOSED_KEPT = 100;
const OPEN_SHOWN = 500;

/** The incidents of the front page, and who wants to know of a change. Keeps all open ones and the last closed ones. */
export class IncidentBoard {
  readonly #open = new Map<string, Card>();
  readonly #closed = new Map<string, Card>();
  readonly #changes = new EventEmitter().setMaxListeners(0);

  update(incident: Incident): void {
    const card: Card = {
      id: incident.id,
      status: incident.status,
      hostname: incident.hostname,
      openedAt: incident.openedAt,
      lastAt: incident.lastAt,
      detectionCount: incident.detectionCount,
      title: incident.detection.finding_info.title,
      severityId: incident.detection.severity_id,
      expiresAt: incident.question?.expiresAt,
    };
    this.#open.delete(card.id);
    this.#closed.delete(card.id);
    if (!isClosed(incident)) this.#open.set(card.id, card);
    else {
      this.#closed.set(card.id, card);
      if (this.#closed.size > CLOSED_KEPT * 2) this.#forgetOldClosed();
    }
    this.#changes.emit('change', card.id);
  }

  /** Open incidents, those that wait for a decision first; then the last closed ones, newest first. */
  cards(): { open: Card[]; openCount: number; closed: Card[] } {
    const asked = (card: Card): number => (card.status === 'asked' || card.status === 'new' ? 0 : 1);
    const open = [...this.#open.values()].toSorted(
      (a, b) => asked(a) - asked(b) || b.openedAt.localeCompare(a.openedAt),
    );
    return {
      open: open.slice(0, OPEN_SHOWN),
      openCount: open.length,
      closed: newestFirst(this.#closed).slice(0, CLOSED_KEPT),
    };
  }

  /** Calls `listener` with the incident's id on every change. Returns how to stop. */
  onChange(listener: (incidentId: string) => void): () => void {
    this.#changes.on('change', listener);
    return () => this.#changes.off('change', listener);
  }

  #forgetOldClosed(): void {
    for (const card of newestFirst(this.#closed).slice(CLOSED_KEPT)) this.#closed.delete(card.id);
  }
}

function newestFirst(cards: Map<string, Card>): Card[] {
  return [...cards.values()].toSorted((a, b) => b.lastAt.localeCompare(a.lastAt));
}
