// Devices as their makers and owners see them.

import { execFileSync } from "node:child_process";
import { expect, type APIRequestContext, type Page } from "@playwright/test";

export interface Registered {
  id: string;
  apiKey: string;
  name: string;
}

let count = 0;
/** Tests share a house; their devices do not share names. */
export const uniqueName = (what: string): string => `${what} ${process.pid}-${++count}`;

/** Registers a device through the page; the page then shows its key. */
export async function registerOnPage(page: Page, name: string): Promise<Registered> {
  await page.goto("/devices/new");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Type", { exact: true }).fill("thermometer");
  await page.getByLabel("Place").fill("2nd floor, north");
  await page.getByRole("button", { name: "Register device" }).click();
  await expect(page.getByRole("heading", { name: `The key of ${name}` })).toBeVisible();
  const apiKey = await page.getByTestId("api-key").innerText();
  const id = await page.locator(".facts-key dd").first().locator("code").innerText();
  return { id, apiKey, name };
}

/** Registers a device through the REST API, with the administrator's session. */
export async function registerByApi(request: APIRequestContext, url: string, device: Record<string, unknown>): Promise<Registered> {
  const answer = await request.post(`${url}/api/v1/devices/register`, { data: device, headers: { Origin: url } });
  expect(answer.status(), await answer.text()).toBe(201);
  const { device: made, api_key } = await answer.json();
  return { id: made.id ?? made.device_id, apiKey: api_key ?? made.api_key, name: made.name };
}

/** Makes something through the REST API, with the administrator's session; what the server answered. */
export async function makeByApi(request: APIRequestContext, url: string, path: string, data: object): Promise<{ [member: string]: any }> {
  const answer = await request.post(`${url}/api/v1/${path}`, { data, headers: { Origin: url } });
  expect(answer.status(), await answer.text()).toBe(201);
  return answer.json();
}

export interface Door {
  id: string;
  name: string;
  reader: Registered;
}

/** A door with a reader outside. */
export async function makeDoor(request: APIRequestContext, url: string, what: string): Promise<Door> {
  const reader = await registerByApi(request, url, { name: uniqueName(`${what} reader`), device_type: "reader" });
  const name = uniqueName(what);
  const { id } = await makeByApi(request, url, "doors", { name, location: "Ground floor", reader_id: reader.id });
  return { id, name, reader };
}

/** Sends telemetry over HTTP with the device's key. */
export async function send(request: APIRequestContext, url: string, device: Registered, body: unknown): Promise<void> {
  const answer = await request.post(`${url}/api/v1/telemetry`, { data: body, headers: { "X-API-Key": device.apiKey } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
}

/** Runs a command exactly as the page prints it, with some values exchanged. */
export function runPrinted(command: string, changes: Record<string, string> = {}): void {
  const text = Object.entries(changes).reduce((text, [from, to]) => text.replaceAll(from, to), command);
  execFileSync("bash", ["-c", text], { stdio: "pipe", timeout: 60_000 });
}

/** A day of a plausible temperature, a sample every five minutes. */
export function dayOfValues(now = Date.now()): unknown[] {
  return Array.from({ length: 289 }, (_, i) => {
    const ts = now - (288 - i) * 300_000;
    const hour = (ts / 3_600_000) % 24;
    const wave = Math.sin(((hour - 9) / 24) * 2 * Math.PI);
    return {
      ts: new Date(ts).toISOString(),
      data: {
        temperature: +(21 + 2.4 * wave + 0.2 * Math.sin(i * 1.7)).toFixed(2),
        humidity: +(46 - 6 * wave + Math.sin(i)).toFixed(1),
        co2: Math.round(620 + 280 * Math.max(0, wave)),
        occupied: wave > 0.2,
      },
    };
  });
}
