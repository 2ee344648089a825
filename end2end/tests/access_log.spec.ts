// The access log: what happens at a door shows at once, stands still on demand and loses nothing; one event with its whole
// reason; what is unusual; without JavaScript, on a phone, in light and dark.

import type { APIRequestContext, Page } from "@playwright/test";
import { registerByApi, uniqueName, type Registered } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { expect, expectLive, test } from "../support/test";

interface Entrance {
  name: string;
  reader: Registered;
}

async function entrance(page: Page, url: string, what: string): Promise<Entrance> {
  const reader = await registerByApi(page.request, url, { name: uniqueName(`${what} reader`), device_type: "reader" });
  const name = uniqueName(what);
  const made = await page.request.post(`${url}/api/v1/doors`, { data: { name, reader_id: reader.id }, headers: { Origin: url } });
  expect(made.status(), await made.text()).toBe(201);
  return { name, reader };
}

/** Somebody shows a card that nobody has. */
async function stranger(request: APIRequestContext, url: string, at: Entrance, card: string): Promise<void> {
  const answer = await request.post(`${url}/api/check_access`, {
    headers: { "x-api-key": at.reader.apiKey },
    data: { method: "rfid", rfid_uid: card },
  });
  expect(answer.status(), await answer.text()).toBe(200);
  expect((await answer.json()).access_granted).toBe(false);
}

const rows = (page: Page, door: string) => page.getByRole("table", { name: "Events, newest first" }).getByRole("row").filter({ hasText: door });

test("what happens at a door shows at once, also filtered; paused, it waits and nothing is lost", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const door = await entrance(page, url, "North gate");
  await page.goto("/access_logs");
  await expectLive(page);
  const filtered = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await filtered.goto("/access_logs?result=granted&method=pin");
  await expectLive(filtered);
  await expect(filtered.getByRole("heading", { name: "No event matches" })).toBeVisible();

  await stranger(request, url, door, "AB01CD02");
  await expect(rows(page, door.name)).toHaveCount(1);
  await expect(rows(page, door.name)).toContainText("Refused");
  await expect(rows(page, door.name)).toContainText("Nobody has this card, code or finger.");

  await page.getByRole("button", { name: "Pause" }).click();
  await stranger(request, url, door, "AB01CD03");
  await stranger(request, url, door, "AB01CD04");
  await expect(page.getByText("Paused; 2 new events wait.")).toBeVisible();
  await expect(rows(page, door.name)).toHaveCount(1);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(rows(page, door.name)).toHaveCount(3);
  await expect(filtered.getByRole("heading", { name: "No event matches" })).toBeVisible();

  const csv = await page.request.get(`${url}/api/v1/access/events.csv?result=refused`);
  expect((await csv.text()).split("\r\n").filter((line) => line.includes(door.name))).toHaveLength(3);

  await page.getByLabel("Reason").selectOption("lockdown");
  await expect(page.getByRole("heading", { name: "No event matches" })).toBeVisible();
  await page.getByLabel("Reason").selectOption("unknown_credential");
  await expect(rows(page, door.name)).toHaveCount(3);
});

test("one event shows the whole reason, and reads without JavaScript", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const door = await entrance(page, url, "South gate");
  await stranger(request, url, door, "0A0B0C0D");
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto("/access_logs?result=refused");
  await rows(plain, door.name).getByRole("link").click();
  await expect(plain.getByRole("heading", { level: 1 })).toContainText(door.name);
  await expect(plain.getByText("Nobody has this card, code or finger.")).toBeVisible();
  await expect(plain.getByRole("heading", { name: "How unusual" })).toBeVisible();
  await plain.goto("/analytics");
  await expect(plain.getByRole("heading", { name: "What is usual" })).toBeVisible();
});

test("pages are clean and fit a phone and a desktop, in light and dark", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const door = await entrance(page, url, "West gate");
  await stranger(request, url, door, "0A0B0C0E");
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme })).newPage();
      for (const path of ["/access_logs", "/analytics", "event"]) {
        if (path === "event") {
          await screen.goto("/access_logs");
          await expectLive(screen);
          await rows(screen, door.name).getByRole("link").click();
          await expect(screen.getByRole("heading", { name: "How unusual" })).toBeVisible();
        } else {
          await screen.goto(path);
          await expectLive(screen);
        }
        await expectFits(screen);
        await expectClean(screen);
        const file = `${path.replace("/", "")}-${name}-${colorScheme}`;
        await screen.screenshot({ path: `screenshots/access-${file}.png`, fullPage: true });
      }
    }
  }
});
