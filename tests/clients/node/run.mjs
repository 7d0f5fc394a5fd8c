// Makes the calls that lines of standard input name, and prints what each gives as a line of JSON; a
// failure goes through `failure` first.
import { createInterface } from 'node:readline';

export const address = process.env.LEDGER;
export const key = process.env.KEY;

export async function run(calls, failure = error => { throw error; }) {
  for await (const name of createInterface({ input: process.stdin })) {
    const said = await calls[name]().catch(failure);
    process.stdout.write(JSON.stringify(said) + '\n');
  }
}
