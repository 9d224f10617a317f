import { z } from 'zod';

/** What a person gives as the reason. Browsers send line breaks as two characters and count them as one. */
export const Reason = z
  .string()
  .overwrite((text) => text.replaceAll('\r\n', '\n').trim())
  .min(5)
  .max(500);
