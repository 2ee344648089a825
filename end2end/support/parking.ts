// Car parks with their spots and sensors.

import { expect, type APIRequestContext } from "@playwright/test";
import { makeByApi, uniqueName } from "./devices";

export interface Lot {
  id: string;
  name: string;
  level: string;
  /** What is written on the signs: prefix and three digits. */
  prefix: string;
}

/** A name as signs and sensors have it. */
export const code = (what: string): string => uniqueName(what).replace(/\W/g, "-");

/** A lot with a level and rows of spots. */
export async function makeLot(request: APIRequestContext, url: string, rows = 2, columns = 4): Promise<Lot> {
  const name = uniqueName("Garage");
  const prefix = `${code("P")}-`;
  // Every word of a sensor counts at once.
  const lot = await makeByApi(request, url, "parking/lots", { name, address: "1 Harbour Street", debounce_s: 0 });
  const level = await makeByApi(request, url, `parking/lots/${lot.id}/levels`, { name: "L1", position: 1 });
  await makeByApi(request, url, `parking/levels/${level.id}/spots`, { rows, columns, prefix, first: 1, zone_letters: true });
  return { id: lot.id, name, level: level.id, prefix };
}

/** What a sensor says, over HTTP. */
export async function say(request: APIRequestContext, url: string, sensor_id: string, occupied: boolean, more: object = {}): Promise<void> {
  const data = { sensor_id, occupied, timestamp: new Date().toISOString(), battery_level: 85, signal_strength: -60, ...more };
  const answer = await request.post(`${url}/api/v1/sensor-data`, { data, headers: { Origin: url } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
}

/** A sensor that stands at a spot. */
export async function placeSensor(request: APIRequestContext, url: string, sensor: string, spot: string): Promise<void> {
  await say(request, url, sensor, false);
  const found = await (await request.get(`${url}/api/v1/parking/sensors?search=${encodeURIComponent(sensor)}`)).json();
  const answer = await request.put(`${url}/api/v1/parking/sensors/${found.items[0].id}`, { data: { spot_id: spot }, headers: { Origin: url } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
}
