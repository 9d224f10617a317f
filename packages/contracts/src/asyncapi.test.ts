import { expect, test } from 'vitest';
import { asyncApi } from './asyncapi.ts';

// Updated with `vitest run --project unit packages/contracts -u`; a change of a stored event's meaning shows in review.
test('the document of the bus is what the schemas say', async () => {
  await expect(`${JSON.stringify(asyncApi(), undefined, 2)}\n`).toMatchFileSnapshot('../asyncapi.json');
});
