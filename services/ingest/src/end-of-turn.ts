/**
 * Waits for the end of this turn of the event loop, for everybody who asks during it together: what arrived in one turn
 * then goes to the broker in one write, which under load is most of what publishing costs.
 */
export function createEndOfTurn(): () => Promise<void> {
  let end: Promise<void> | undefined;
  return () => {
    end ??= new Promise((resolve) => {
      setImmediate(() => {
        end = undefined;
        resolve();
      });
    });
    return end;
  };
}
