export {
  bold,
  context,
  factLines,
  line,
  link,
  mrkdwnDate,
  plain,
  preformatted,
  richDate,
  richText,
  richTextOf,
  SENTENCE_MAX,
  wasCut,
} from './slack-blocks.ts';
export { cut, cutForSlack, defang, manyLines, mrkdwn, oneLine } from './text.ts';
