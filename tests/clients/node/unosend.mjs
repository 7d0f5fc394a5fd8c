// What the documentation of npm's `@unosend/node` shows under "Emails", "Events & Logs", "Metrics" and
// "Error Handling".
import { Unosend } from '@unosend/node';
import { address, key, run } from './run.mjs';

const unosend = new Unosend(key, { baseUrl: `${address}/v1` });

async function pages() {
  const found = [];
  let more = true;
  while (more) {
    const offset = 6 * found.length;
    const { data } = await unosend.events.list({ days: 30, limit: 6, offset });
    found.push(data);
    more = data.pagination.has_more;
  }
  return found;
}

await run({
  week: () => unosend.events.list(),
  everything: () => unosend.events.list({ days: 30, limit: 100 }),
  clicks: () => unosend.events.list({ eventType: 'clicked', days: 30 }),
  message: () => unosend.events.list({ emailId: 'message-04', days: 30 }),
  tooMuch: () => unosend.events.list({ days: 5000, limit: 5000 }),
  unknownType: () => unosend.events.list({ eventType: 'exploded', days: 30 }),
  otherAddress: () => new Unosend(key, { baseUrl: `${address}/api/v1` }).events.list({ days: 30 }),
  pages,
  logs: () => unosend.logs.list(),
  delivered: () => unosend.logs.list({ status: 'delivered', days: 30 }),
  logsOfOne: () => unosend.logs.list({ emailId: 'message-04', days: 30, limit: 5, search: 'READER04' }),
  logsFrom: () => unosend.logs.list({ days: 30, limit: 5, offset: 10 }),
  emails: () => unosend.emails.list({ page: 2, perPage: 3 }),
  email: () => unosend.emails.get('message-06'),
  emailWithSlashes: () => unosend.emails.get('<a/b+c@mail.example>'),
  noEmail: () => unosend.emails.get('message-99'),
  emailClicks: () => unosend.emails.clicks('message-06'),
  metrics: () => unosend.metrics.get({ days: 30 }),
  byStatus: () => unosend.metrics.get({ groupBy: 'status' }),
  badGroup: () => unosend.metrics.get({ groupBy: 'colour' }),
  links: () => unosend.metrics.links({ days: 7, limit: 10 }),
  notOffered: () => unosend.wallet.get(),
});
