// Prints the table of draws again, as the helpers for JavaScript make them: `node print.mjs FILE-OF-RANDOM < vectors.txt`.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { Steps, process: processOf, stream } = await import(pathToFileURL(process.argv[2]).href);

const hex = (bits) => bits.toString(16).padStart(16, '0');
const unitHex = (unit) => {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, unit);
  return hex(bytes.getBigUint64(0));
};

const lines = readFileSync(0, 'utf8').trimEnd().split('\n');
for (const line of lines) {
  if (line.startsWith('#')) {
    console.log(line);
    continue;
  }
  const [seed, name, entity, step] = line.split('\t');
  const key = [BigInt(seed), processOf(name), Number(entity)];
  const draws = stream(...key, Number(step));
  const made = [hex(new Steps(...key).bits(Number(step))), hex(draws.bits()), hex(draws.bits()), draws.below(1000),
    draws.below(2 ** 40), unitHex(draws.unit())];
  console.log([seed, name, entity, step, ...made].join('\t'));
}
