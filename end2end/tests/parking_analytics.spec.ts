// Analytics of parking: a history of another system, the forecast that is made of it with its bands and its backtest, the
// hours of the week, what is so now; too little data, a wrong file, without JavaScript, on a phone, in light and dark.

import type { APIRequestContext, Locator, Page } from "@playwright/test";
import { makeByApi } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { code, makeLot, placeSensor, say } from "../support/parking";
import { expect, expectLive, signIn, test } from "../support/test";

const SLOT_MS = 900_000;
const WEEKS = 4;
const ROWS = WEEKS * 672;

/** Four weeks until now of a lot of 100 spots: on working days from 8 to 18 (UTC) some 83 are occupied, else some 8. */
function history(lot: string): string {
  const end = Math.floor(Date.now() / SLOT_MS) * SLOT_MS;
  const rows = Array.from({ length: ROWS }, (_, step) => {
    const at = new Date(end - (ROWS - step) * SLOT_MS);
    const isBusy = at.getUTCDay() % 6 !== 0 && at.getUTCHours() >= 8 && at.getUTCHours() < 18;
    return `${at.toISOString()},${lot},${(isBusy ? 80 : 5) + (step % 7)},100`;
  });
  return ["timestamp,lot,occupied,capacity", ...rows, ""].join("\n");
}

async function importByApi(request: APIRequestContext, url: string, csv: string): Promise<void> {
  const answer = await request.post(`${url}/api/v1/parking/history`, { data: csv, headers: { Origin: url, "Content-Type": "text/csv" } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
}

const card = (page: Page, name: string): Locator => page.getByRole("region", { name, exact: true });
const now = (page: Page) => card(page, "How full it is now");
const forecast = (page: Page) => card(page, "The next 24 hours");
const backtest = (page: Page) => card(page, "How good such forecasts have been");
const importing = (page: Page) => card(page, "Import a history");

async function importOnPage(page: Page, csv: string): Promise<void> {
  await importing(page).getByLabel("File", { exact: true }).setInputFiles({ name: "history.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await importing(page).getByRole("button", { name: "Import history" }).click();
}

test("a history is imported, and forecast, backtest and hours of the week are shown", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  await page.goto(`/parking/analytics?lot=${lot.id}`);
  await expectLive(page);
  await expect(page.getByRole("link", { name: "Analytics", exact: true }).and(page.locator(".tabs a"))).toHaveAttribute("aria-current", "page");
  await expect(page.getByLabel("Lot", { exact: true })).toHaveValue(lot.id);
  await importOnPage(page, history(lot.name));
  await expect(importing(page).getByRole("status")).toContainText(`${ROWS} rows imported, ${ROWS} quarters of an hour known by them: ${lot.name}.`);

  // The forecast comes by itself, with its bands.
  await expect(forecast(page).getByRole("img", { name: /^Chart of the day before and the next 24 hours\. Fullest on / })).toBeVisible();
  for (const line of ["band-95", "band-80", "expected", "measured"])
    await expect(page.locator(`.forecast-chart .forecast-${line}`)).toHaveAttribute("d", /^M\d/);
  await expect(forecast(page)).toContainText(/Made by (the model|a simple method)/);
  await forecast(page).getByText("The numbers as a table").click();
  const rows = await forecast(page).locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent ?? "")));
  expect(rows).toHaveLength(24 + 96);
  expect(rows.filter(([measured]) => /^\d/.test(measured)).length, "hours of the past").toBeGreaterThanOrEqual(23);
  for (const [, expected, range80, range95] of rows.slice(24)) {
    const [low95, low80, middle, high80, high95] = [range95, range80, expected, range80, range95].map((text, i) => Number(text.split(" – ")[i > 2 ? 1 : 0]));
    const inOrder = [0, low95, low80, middle, high80, high95, 100];
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
  }

  // How good it is, and which method that was.
  await expect(backtest(page).locator("tbody tr")).toHaveCount(3);
  const chosen = backtest(page).locator("tbody tr").filter({ hasText: "In use" });
  await expect(chosen).toHaveCount(1);
  await expect(chosen.getByRole("cell")).toHaveText([/^\d+\.\d$/, /^\d+\.\d\d$/, /^\d+ %$/, /^\d+ %$/]);
  const used = (await chosen.getByRole("rowheader").innerText()).replace(/\s*In use\s*/, "");
  await expect(forecast(page)).toContainText(`“${used}”`);

  // Numbers stand in the cells; the colour says the same.
  const heat = page.getByRole("table", { name: "Mean occupancy in percent, by hour and weekday" });
  await expect(heat.getByRole("columnheader")).toHaveText(["Hour", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
  await expect(heat.locator("tbody tr")).toHaveCount(24);
  const tuesday = (hour: string) => heat.getByRole("row", { name: new RegExp(`^${hour}`) }).getByRole("cell").nth(1);
  await expect(tuesday("10:00")).toHaveText(/^8\d$/);
  await expect(tuesday("10:00")).toHaveClass(/heat-4/);
  await expect(tuesday("02:00")).toHaveText(/^\d$/);
  await expect(tuesday("02:00")).toHaveClass(/heat-0/);
  await expect(card(page, "Hours of the week")).toContainText(/Fullest: (Mon|Tue|Wed|Thu|Fri) \d\d:00, 8\d %\. Emptiest: /);

  // Another span stands in the address, and goes with "Make anew".
  const days = card(page, "Day by day").locator("tbody tr");
  await expect(days.nth(27)).toBeAttached();
  await page.getByLabel("The last", { exact: true }).selectOption("7");
  await expect(page).toHaveURL(new RegExp(`lot=${lot.id}.*days=7`));
  await expect(days.nth(8)).not.toBeAttached();
  await expect(days.nth(6)).toBeAttached();
  await forecast(page).getByRole("button", { name: "Make anew" }).click();
  await expect(page.getByText("Forecast made anew")).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`lot=${lot.id}.*days=7`));
});

test("too little data says what is needed, and leads to the import", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  await page.goto(`/parking/analytics?lot=${lot.id}`);
  await expectLive(page);
  await expect(forecast(page).getByRole("heading", { name: "Too little is known for a forecast" })).toBeVisible();
  await expect(forecast(page)).toContainText("A forecast needs a day of this lot at least");
  await expect(forecast(page).getByRole("button", { name: "Make anew" })).toBeHidden();
  await expect(backtest(page)).toContainText("Not tested yet");
  await expect(card(page, "Hours of the week")).toContainText("Nothing is known of this time yet.");
  await expect(card(page, "Day by day")).toContainText("Nothing is known of this time yet.");
  await forecast(page).getByRole("link", { name: "Import a history" }).click();
  await expect(page).toHaveURL(/#history$/);
  await expect(importing(page).getByRole("heading")).toBeInViewport();
});

test("a wrong row is named, and nothing of its file is imported", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  await page.goto(`/parking/analytics?lot=${lot.id}`);
  await expectLive(page);
  const [head, first, second, ...rest] = history(lot.name).split("\n");
  await importOnPage(page, [head, first, second.replace(/,\d+,100$/, ",many,100"), ...rest].join("\n"));
  await expect(importing(page).getByRole("alert")).toHaveText("Nothing was imported. Row 3: occupied: a whole number from 0");
  await importOnPage(page, [head, first.replace(lot.name, "Nowhere")].join("\n"));
  await expect(importing(page).getByRole("alert")).toHaveText("Nothing was imported. Row 2: There is no lot Nowhere.");
  await importOnPage(page, "time,lot\n");
  await expect(importing(page).getByRole("alert")).toContainText("The first row names timestamp, lot, occupied and capacity.");
  await expect(forecast(page)).toContainText("Too little is known");

  // Corrected, it is taken, and what was wrong is no longer said.
  await importOnPage(page, [head, first].join("\n"));
  await expect(importing(page).getByRole("status")).toContainText(`1 row imported, 1 quarter of an hour known by it: ${lot.name}.`);
  await expect(importing(page).getByRole("alert")).toBeHidden();
});

test("what is so now changes with a sensor's word", async ({ page, house }) => {
  const { url } = house.portico;
  const [lot, other] = [await makeLot(page.request, url, 1, 2), await makeLot(page.request, url, 1, 3)];
  const sensor = code("S");
  await placeSensor(page.request, url, sensor, `${lot.prefix}001`);
  await page.goto(`/parking/analytics?lot=${lot.id}`);
  await expectLive(page);
  const row = (name: string) => now(page).locator("tr").filter({ has: page.getByRole("rowheader", { name: new RegExp(`^${name}(?!\\d)`) }) });
  await expect(row("All lots")).toBeVisible();
  await expect(row(lot.name)).toContainText("0 of 2");
  await expect(row(lot.name)).toContainText("1 unknown");
  await expect(row(other.name)).toContainText("0 of 3");
  // Levels and zones are those of the lot that is looked at.
  await expect(row("L1")).toContainText("0 of 2");
  await expect(row("Zone A")).toContainText("0 of 2");
  await say(page.request, url, sensor, true);
  for (const name of [lot.name, "L1", "Zone A"]) await expect(row(name)).toContainText("1 of 2");
  await expect(row(lot.name)).toContainText("50 %");
  await say(page.request, url, sensor, false);
  await expect(row(lot.name)).toContainText("0 of 2");

  await page.getByLabel("Lot", { exact: true }).selectOption(other.id);
  await expect(page).toHaveURL(new RegExp(`lot=${other.id}`));
  await expect(page.getByRole("heading", { name: other.name, level: 2 })).toBeVisible();
  await expect(row("L1")).toContainText("0 of 3");
});

test("who may only look sees neither the import nor the button; a lot that is none is told", async ({ page, house, openContext, complaints }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  await importByApi(page.request, url, history(lot.name));
  const [username, password] = [code("desk").replaceAll("-", "x"), "seven purple umbrellas 42"];
  await makeByApi(page.request, url, "users", { username, email: `${username}@example.org`, password, role: "reception" });
  const own = await (await openContext({ baseURL: url })).newPage();
  await signIn(own, url, username, password);
  await expect(own.getByRole("heading", { name: "The building right now" })).toBeVisible();
  await own.goto(`/parking/analytics?lot=${lot.id}`);
  await expectLive(own);
  await expect(own.locator(".forecast-chart .forecast-band-95")).toHaveAttribute("d", /^M\d/);
  await expect(own.getByRole("button", { name: "Make anew" })).toHaveCount(0);
  await expect(importing(own)).toHaveCount(0);

  complaints.expected.push(/status of 404/);
  expect((await own.goto(`/parking/analytics?lot=${"0".repeat(32)}`))?.status()).toBe(404);
  await expect(own.getByRole("heading", { name: "Not found" })).toBeVisible();
});

test("without JavaScript a lot and a span are chosen and the forecast is made anew", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  await importByApi(page.request, url, history(lot.name));
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto("/parking/analytics");
  await plain.getByLabel("Lot", { exact: true }).selectOption(lot.id);
  await plain.getByLabel("The last", { exact: true }).selectOption("90");
  await plain.getByRole("button", { name: "Apply" }).click();
  await expect(plain.getByRole("heading", { name: lot.name, level: 2 })).toBeVisible();
  await expect(plain.locator(".forecast-chart .forecast-band-80")).toHaveAttribute("d", /^M\d/);
  await expect(backtest(plain)).toContainText("In use");
  await plain.getByRole("button", { name: "Make anew" }).click();
  await expect(plain).toHaveURL(new RegExp(`/parking/analytics\\?lot=${lot.id}&days=90$`));
  await expect(backtest(plain)).toContainText("In use");
  await expect(importing(plain)).toContainText("curl --data-binary @history.csv");
});

test("the page is clean and fits a phone and a desktop, in light and dark", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const [lot, fresh] = [await makeLot(page.request, url, 4, 6), await makeLot(page.request, url, 1, 2)];
  for (let number = 1; number <= 9; number += 1) {
    const sensor = code("S");
    await placeSensor(page.request, url, sensor, `${lot.prefix}${String(number).padStart(3, "0")}`);
    if (number % 3 > 0) await say(page.request, url, sensor, true);
  }
  await importByApi(page.request, url, history(lot.name));
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme, reducedMotion: "reduce" })).newPage();
      for (const [what, id] of [["parking-analytics", lot.id], ["parking-analytics-new", fresh.id]]) {
        await screen.goto(`/parking/analytics?lot=${id}`);
        await expectLive(screen);
        for (const table of await screen.locator(".chart-table > summary").all()) await table.click();
        await expectFits(screen, what);
        await expectClean(screen, what);
        await screen.screenshot({ path: `screenshots/${what}-${name}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
});
