import { sha256 } from '@cordon/contracts';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { type Fault, faultsBetween, faultsOf, placeOf, PolicyError, shouldBe } from './faults.ts';
import { PolicyFile } from './schema.ts';

/** The file under its own names, durations in milliseconds. */
export type Policy = z.output<typeof PolicyFile> & {
  /** The first 16 hex digits of the text's SHA-256. */
  version: string;
  text: string;
};

/** Reads a policy. Throws `PolicyError` with every fault at once; `name` is how the file is called there. */
export function parsePolicy(text: string, name = 'policy.yaml'): Policy {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const wrong = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    ...lines.linePos(pos[0]),
    message,
  }));
  if (wrong.length > 0) throw policyError(name, wrong);

  const content = contentOf(document, name);
  const { success, data, error } = PolicyFile.safeParse(content, { error: shouldBe });
  const faults = [...(error ? faultsOf(error.issues) : []), ...faultsBetween(content)];
  if (!success || faults.length > 0) {
    const placed = faults.map((fault) => ({ ...placeOf(fault, document, lines), message: sentenceOf(fault) }));
    throw policyError(name, placed);
  }
  return { ...data, version: sha256(text).slice(0, 16), text };
}

/** Aliases are resolved only now: one that leads nowhere, or far too many, is found here. */
function contentOf(document: Document, name: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw policyError(name, [{ line: 1, col: 1, message: error instanceof Error ? error.message : String(error) }]);
  }
}

type Placed = { line: number; col: number; message: string };

function policyError(name: string, faults: Placed[]): PolicyError {
  const inOrder = faults.toSorted((a, b) => a.line - b.line || a.col - b.col);
  return new PolicyError(inOrder.map(({ line, col, message }) => `${name}:${line}:${col}: ${message}`));
}

function sentenceOf({ path, key, message }: Fault): string {
  const place = z.core.toDotPath(key === undefined ? path : [...path, key]);
  return place === '' ? message : `${place}: ${message}`;
}
