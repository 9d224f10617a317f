import type { Adapter, AdapterPayload } from 'oidc-provider';

/** Where oidc-provider keeps its sessions and codes. In memory: its own such store warns on every start. */
export function memoryAdapter(): (kind: string) => Adapter {
  const entries = new Map<string, { payload: AdapterPayload; expiresAt: number }>();

  const live = (key: string): AdapterPayload | undefined => {
    const entry = entries.get(key);
    if (entry && entry.expiresAt > Date.now()) return entry.payload;
    entries.delete(key);
    return undefined;
  };
  const findWhere = (kind: string, matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined => {
    for (const key of entries.keys()) {
      const payload = key.startsWith(`${kind}:`) ? live(key) : undefined;
      if (payload && matches(payload)) return payload;
    }
    return undefined;
  };

  return (kind) => ({
    async upsert(id, payload, expiresInSeconds) {
      const expiresAt = expiresInSeconds ? Date.now() + expiresInSeconds * 1_000 : Infinity;
      entries.set(`${kind}:${id}`, { payload, expiresAt });
    },
    async find(id) {
      return live(`${kind}:${id}`);
    },
    async findByUid(uid) {
      return findWhere(kind, (payload) => payload.uid === uid);
    },
    async findByUserCode(userCode) {
      return findWhere(kind, (payload) => payload.userCode === userCode);
    },
    async consume(id) {
      const payload = live(`${kind}:${id}`);
      if (payload) payload.consumed = Math.floor(Date.now() / 1_000);
    },
    async destroy(id) {
      entries.delete(`${kind}:${id}`);
    },
    async revokeByGrantId(grantId) {
      for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key);
    },
  });
}
