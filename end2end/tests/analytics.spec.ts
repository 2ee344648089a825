// What is usual, learned from a log and said of what comes after it: too little to learn from, training by a button, an unusual
// visit with its reasons, a false alarm that counts in the next training; also without JavaScript.

import type { APIRequestContext, Page } from "@playwright/test";
import { makeByApi, registerByApi, type Registered } from "../support/devices";
import { expectClean } from "../support/look";
import { setUpHouse, expect, expectLive, test as base, type House } from "../support/test";

/** Numbers of their cards. */
const [ANN, BEN] = ["A1B2C3D4", "B1B2C3D4"];

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** A Saturday, 02:10 in the building (UTC), not a week ago. */
function lastSaturdayNight(): number {
  const now = Date.now();
  const night = now - ((now - 130 * 60_000) % DAY_MS);
  return night - ((new Date(night).getUTCDay() + 1) % 7) * DAY_MS;
}

interface Visit {
  at: number;
  card: string;
}

/** A house with a log of its own: its events are counted. */
class Office {
  readonly night = lastSaturdayNight();
  private told = 0;
  private constructor(
    readonly house: House,
    private readonly request: APIRequestContext,
    private readonly reader: Registered,
  ) {}

  static async open(house: House, request: APIRequestContext): Promise<Office> {
    const { url } = house.portico;
    const reader = await registerByApi(request, url, { name: "Main reader", device_type: "reader" });
    await makeByApi(request, url, "doors", { name: "Main entrance", reader_id: reader.id });
    for (const [name, value] of [["Ann Archer", ANN], ["Ben Baker", BEN]]) {
      const { id } = await makeByApi(request, url, "access/people", { name });
      await makeByApi(request, url, `access/people/${id}/credentials`, { kind: "rfid", value });
    }
    return new Office(house, request, reader);
  }

  /** Eight weeks of working days before that night: both at nine and at five; the last is Ben, on Friday at five. */
  past(): Visit[] {
    const days = Array.from({ length: 56 }, (_, i) => this.night - (56 - i) * DAY_MS);
    return days
      .filter((day) => new Date(day).getUTCDay() % 6 !== 0)
      .flatMap((day, i) => [7, 15].map((hours) => day + hours * HOUR_MS + (i % 5) * 240_000))
      .flatMap((at) => [{ card: ANN, at }, { card: BEN, at: at + 60_000 }]);
  }

  /** The reader had no network, let these in by itself, and tells of it now. */
  async tell(visits: Visit[]): Promise<void> {
    const rest = { method: "rfid", granted: true, reason: "granted" };
    const events = visits.map(({ at, card }) => ({ seq: ++this.told, ts: at, rfid_uid: card, ...rest }));
    const answer = await this.request.post(`${this.house.portico.url}/api/v1/access/offline-events`, {
      data: { events },
      headers: { "X-API-Key": this.reader.apiKey },
    });
    expect(await answer.json()).toMatchObject({ stored: visits.length, acked_seq: this.told, conflicts: [] });
  }
}

const test = base.extend<{ office: Office; page: Page }>({
  office: async ({ browser, playwright }, use) => {
    const house = await setUpHouse(browser);
    const request = await playwright.request.newContext({ storageState: house.state });
    await use(await Office.open(house, request));
    await request.dispose();
    await house.portico.stop();
  },
  page: async ({ office, openContext }, use) => {
    const { portico, state } = office.house;
    await use(await (await openContext({ baseURL: portico.url, storageState: state })).newPage());
  },
});

const model = (page: Page) => page.getByRole("region", { name: "What is usual" });
const train = (page: Page) => model(page).getByRole("button", { name: "Train now" });
const version = (page: Page) => model(page).locator("dt", { hasText: "Version" }).locator("xpath=following-sibling::dd[1]");
const unusual = (page: Page) => page.getByRole("region", { name: "Unusual, last 30 days" });
const figure = (page: Page) => page.locator(".figure").filter({ hasText: "unusual" }).locator(".number");

test("a log too short to learn from says how much is missing", async ({ page, office }) => {
  const past = office.past();
  await office.tell(past.slice(0, 49));
  await page.goto("/analytics");
  await expectLive(page);
  await expect(model(page)).toContainText("Too few events");
  await expect(model(page)).toContainText("49 of 50 that are needed");
  await expect(train(page)).toHaveCount(0);
  const { url } = office.house.portico;
  const refused = await page.request.post(`${url}/api/v1/access/anomaly-model`, { headers: { Origin: url } });
  expect([refused.status(), (await refused.json()).code]).toEqual([409, "too_few_events"]);

  await office.tell(past.slice(49, 50));
  await page.reload();
  await expectLive(page);
  await expect(model(page)).not.toContainText("Too few events");
  await expect(train(page)).toBeVisible();
});

test("a visit in the night is found, told with its reasons, and excused", async ({ page, office }) => {
  const past = office.past();
  const friday = past.pop()!;
  await office.tell(past);
  await page.goto("/analytics?days=30");
  await expectLive(page);
  await expect(model(page)).toContainText("Nothing has been learned yet");
  await expect(unusual(page)).toContainText("Nothing was unusual.");
  await expect(figure(page)).toHaveText("0");
  await train(page).click();
  await expect(version(page)).toHaveText("1");
  await expect(model(page)).toContainText(`${past.length} events, 0 called false alarms`);

  // Heard of after the training: one as on every Friday, and one at night. The page shows it by itself.
  await office.tell([friday, { at: office.night, card: ANN }]);
  const found = unusual(page).getByRole("listitem");
  await expect(found).toHaveCount(1);
  await expect(found).toContainText("Ann Archer at Main entrance");
  await expect(found).toContainText("let in");
  await expect(found).toContainText("02:10 is an unusual time of day for this person");
  await expect(found).toContainText(/Score 0\.\d\d/);
  await expect(figure(page)).toHaveText("1");
  await expectClean(page);

  await found.getByRole("button", { name: "False alarm" }).click();
  await expect(found.getByRole("button", { name: "Unusual after all" })).toBeVisible();
  await expect(found.locator(".badge")).toHaveText("False alarm");
  await expect(figure(page)).toHaveText("0");
  await page.reload();
  await expectLive(page);
  await expect(found.locator(".badge")).toHaveText("False alarm");

  await train(page).click();
  await expect(version(page)).toHaveText("2");
  await expect(model(page)).toContainText(`${past.length + 2} events, 1 called false alarms`);
  // Its own page says the same.
  await found.getByRole("link").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Ann Archer at Main entrance");
  const opinion = page.getByRole("region", { name: "How unusual" });
  await expect(opinion).toContainText("02:10 is an unusual time of day for this person");
  await page.getByRole("button", { name: "Unusual after all" }).click();
  await expect(page.getByRole("button", { name: "False alarm" })).toBeVisible();
});

test("without JavaScript a model is trained and a visit excused", async ({ office, openContext, complaints }) => {
  // Nothing runs that could use it.
  complaints.expected.push(/preloaded using link preload/);
  const { portico, state } = office.house;
  const page = await (await openContext({ baseURL: portico.url, storageState: state, javaScriptEnabled: false })).newPage();
  await office.tell(office.past());
  await page.goto("/analytics");
  await train(page).click();
  await expect(async () => {
    await page.goto("/analytics");
    await expect(version(page)).toHaveText("1", { timeout: 1_000 });
  }).toPass();
  await office.tell([{ at: office.night, card: BEN }]);
  const found = unusual(page).getByRole("listitem");
  await expect(async () => {
    await page.goto("/analytics");
    await expect(found).toContainText("02:10 is an unusual time of day for this person", { timeout: 1_000 });
  }).toPass();
  await found.getByRole("button", { name: "False alarm" }).click();
  await expect(page).toHaveURL(/\/analytics$/);
  await expect(found.getByRole("button", { name: "Unusual after all" })).toBeVisible();
});
