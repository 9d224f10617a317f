/** Shortens texts and lists to what a schema takes, and remembers whether anything was lost. */
export function createCutter() {
  let truncated = false;
  return {
    get truncated(): boolean {
      return truncated;
    },
    /** At most `max` UTF-16 units, as zod and JavaScript count them; a surrogate pair is never cut in two. */
    text<Text extends string | undefined>(text: Text, max: number): Text | string {
      if (text === undefined || text.length <= max) return text;
      truncated = true;
      const splitsPair = /[\ud800-\udbff]/.test(text.charAt(max - 1)) && /[\udc00-\udfff]/.test(text.charAt(max));
      return text.slice(0, splitsPair ? max - 1 : max);
    },
    list<Item>(items: readonly Item[], max: number): Item[] {
      if (items.length > max) truncated = true;
      return items.slice(0, max);
    },
  };
}
export type Cutter = ReturnType<typeof createCutter>;
