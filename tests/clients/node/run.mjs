// Makes the call that the command line names and prints what it gives as JSON; a failure goes
// through `failure` first.
export const address = process.env.LEDGER;
export const key = process.env.KEY;

export async function run(calls, failure = error => { throw error; }) {
  const said = await calls[process.argv[2]]().catch(failure);
  process.stdout.write(JSON.stringify(said) + '\n');
}
