import { aMachine } from './testing.ts';
import { expect, test } from 'vitest';
import { createQuestions } from './questions.ts';

const about = (machine: ReturnType<typeof aMachine>) => ({ ...machine.asked(), seq: 2 });

test('a question that comes is noticed, also before anybody waits for it', async () => {
  const questions = createQuestions();
  const machine = aMachine();
  using question = questions.expect(machine.endpoint);
  questions.arrived({ ...machine.detected(), seq: 1 });
  questions.arrived(about(machine));
  expect(await question.soon()).toBe(true);
});

test('one that takes tens of milliseconds, as where there is much to do, is waited for', async () => {
  const questions = createQuestions();
  const machine = aMachine();
  using question = questions.expect(machine.endpoint);
  setTimeout(() => questions.arrived(about(machine)), 50);
  expect(await question.soon()).toBe(true);
});

test('one that does not come, comes for another machine, or came when nobody expected it, is not waited for', async () => {
  const questions = createQuestions();
  const machine = aMachine();
  questions.arrived(about(machine));
  using question = questions.expect(machine.endpoint);
  questions.arrived(about(aMachine()));
  expect(await question.soon()).toBe(false);
});
