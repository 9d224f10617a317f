import { aDetection, aDetectionRaised, stored } from '@cordon/contracts/builders';
import { evolve, type Incident, NOTHING_HAPPENED, type Status } from '@cordon/incident';
import { expect, test } from 'vitest';
import { IncidentBoard } from './incident-board.ts';

let minute = 0;
function anIncident(about: Partial<Incident> = {}): Incident {
  const at = new Date(Date.UTC(2026, 0, 1, 0, minute++));
  const [event] = stored([aDetectionRaised(aDetection(), at)]);
  const { incident } = event ? evolve(NOTHING_HAPPENED, event) : {};
  if (!incident) throw new Error('no incident');
  return { ...incident, ...about };
}
const many = (count: number, status: Status): Incident[] => Array.from({ length: count }, () => anIncident({ status }));

test('shows what waits for a decision first, then the newest', () => {
  const board = new IncidentBoard();
  const [contained, asked, fresh] = [
    anIncident({ status: 'contained' }),
    anIncident({ status: 'asked' }),
    anIncident({ status: 'new' }),
  ];
  const last = anIncident({ status: 'pending' });
  for (const incident of [contained, asked, fresh, last]) board.update(incident);
  expect(board.cards().open.map((card) => card.id)).toEqual([fresh.id, asked.id, last.id, contained.id]);
});

test('an incident is there once, and moves to the closed ones when it ends', () => {
  const board = new IncidentBoard();
  const incident = anIncident({ status: 'asked' });
  board.update(incident);
  board.update({ ...incident, status: 'contained', detectionCount: 2 });
  expect(board.cards()).toMatchObject({
    openCount: 1,
    open: [{ id: incident.id, status: 'contained', detectionCount: 2 }],
    closed: [],
  });
  board.update({ ...incident, status: 'released' });
  board.update({ ...incident, status: 'released' });
  expect(board.cards()).toMatchObject({ openCount: 0, open: [], closed: [{ id: incident.id, status: 'released' }] });
});

test('keeps every open incident and shows 500; keeps the last 100 closed ones, however many there were', () => {
  const board = new IncidentBoard();
  const closed = many(1000, 'left');
  for (const incident of [...many(600, 'asked'), ...closed]) board.update(incident);
  const cards = board.cards();
  expect([cards.openCount, cards.open.length, cards.closed.length]).toEqual([600, 500, 100]);
  expect(cards.closed.map((card) => card.id)).toEqual(
    closed
      .slice(-100)
      .map((incident) => incident.id)
      .toReversed(),
  );
});

test('tells of changes until it is stopped', () => {
  const board = new IncidentBoard();
  const [heard, incident]: [string[], Incident] = [[], anIncident()];
  const stop = board.onChange((id) => heard.push(id));
  board.update(incident);
  stop();
  board.update(incident);
  expect(heard).toEqual([incident.id]);
});
