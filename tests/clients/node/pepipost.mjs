// What the documentation of npm's `pepipost` shows in example-endpoints.md.
import moment from 'moment';
import lib from 'pepipost';
import { address, key, run } from './run.mjs';

const configuration = lib.Configuration;
const controller = lib.EventsController;
const stats = lib.StatsController;

configuration.BASEURI = address + '/v5';
configuration.apiKey = key;

const startdate = moment('2026-11-01', 'YYYY-MM-DD');
const enddate = moment('2026-11-10', 'YYYY-MM-DD');
const { ASC, DESC } = lib.SortEnum;
const { BOUNCE, CLICK, OPEN } = lib.EventsEnum;

async function pages() {
  const found = [];
  do {
    found.push(await controller.getEventsGET(startdate, null, ASC, enddate, 5 * found.length, 5));
  } while (found.at(-1).data.length);
  return found;
}

await run({
  everything: () => controller.getEventsGET(startdate, null, null, enddate),
  bounces: () => controller.getEventsGET(
    startdate, BOUNCE, DESC, enddate, null, null, 'Winter', null, null, 'reader04@mail.example',
  ),
  commaList: () => controller.getEventsGET(startdate, `${OPEN},${CLICK}`, ASC, enddate),
  array: () => controller.getEventsGET(startdate, [OPEN, CLICK], ASC, enddate),
  byReference: () => controller.getEventsGET(
    startdate, null, ASC, enddate, null, null, null, 'order-07', 'news@shop.example',
  ),
  callback: () => new Promise((resolve, reject) => {
    const rest = new Array(7).fill(undefined);
    controller.getEventsGET(startdate, CLICK, ASC, ...rest, (error, response) => (
      error ? reject(error) : resolve(response)
    )).catch(() => {});
  }),
  pages,
  daily: () => stats.getStatsGET(startdate, enddate, null, null, null),
  weekly: () => stats.getStatsGET(startdate, enddate, lib.AggregatedByEnum.WEEK),
  secondPage: () => stats.getStatsGET(startdate, enddate, lib.AggregatedByEnum.DAY, 2, 4),
  noStats: () => stats.getStatsGET(moment('2026-12-01', 'YYYY-MM-DD'), enddate),
  badSort: () => controller.getEventsGET(startdate, null, 'sideways', enddate),
  mixedAggregate: () => controller.getEventsGET(startdate, ['total_opened', OPEN], ASC, enddate),
}, error => error);
