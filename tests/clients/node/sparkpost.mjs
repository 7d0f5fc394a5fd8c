// What the documentation of npm's `sparkpost` shows: docs/resources and examples of events and
// messageEvents.
import SparkPost from 'sparkpost';
import { address, key, run } from './run.mjs';

const client = new SparkPost(key, { origin: address });
const days = { from: '2026-11-01T00:00', to: '2026-11-11T00:00' };

// Follow `links.next` to the end: its parameters are those of the next call.
async function pages(parameters) {
  const found = [];
  let next = parameters;
  while (next) {
    const page = await client.events.searchMessage(next);
    found.push(page);
    next = page.links.next && Object.fromEntries(new URL(page.links.next, address).searchParams);
  }
  return found;
}

// The older API has a list of links; each is a path that the client can ask for.
async function olderPages(parameters) {
  const found = [await client.messageEvents.search(parameters)];
  for (let next = 'next'; next;) {
    next = found.at(-1).links.find(link => link.rel === 'next');
    if (next) found.push(await client.get({ uri: address + next.href }));
  }
  return found;
}

await run({
  lastDay: () => client.events.searchMessage({}),
  callback: () => new Promise((resolve, reject) => {
    client.events.searchMessage({}, (error, data) => (error ? reject(error) : resolve(data)));
  }),
  everything: () => client.events.searchMessage(days),
  filtered: () => client.events.searchMessage({
    ...days, events: ['open', 'click'], campaigns: ['friday'], subjects: 'coats & more',
  }),
  undefinedIsLeftOut: () => client.events.searchMessage({
    ...days, events: ['click'], recipients: undefined,
  }),
  pages: () => pages({ ...days, per_page: 7 }),
  filteredPages: () => pages({ ...days, per_page: 1, subjects: 'coats & more', events: 'open' }),

  older: () => client.messageEvents.search({
    ...days, page: 1, per_page: 5, events: ['bounce', 'out_of_band'], bounce_classes: [10],
  }),
  olderCampaignClicks: () => client.messageEvents.search({
    ...days, events: 'click', campaign_ids: 'monday_mailshot',
  }),
  olderPages: () => olderPages({ ...days, page: 1, per_page: 7 }),

  badPageSize: () => client.events.searchMessage({ ...days, per_page: 0 }),
  badTime: () => client.events.searchMessage({ from: 'yesterday' }),
  notOffered: () => client.templates.list(),
}, ({ name, message, statusCode, errors }) => ({ name, message, statusCode, errors }));
