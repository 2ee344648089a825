// Parking: the live plan, sensors that wait for a spot, the editor by keyboard and pointer, spots from a table, without
// JavaScript, on a phone, in light and dark.

import type { Page } from "@playwright/test";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits, PHONE } from "../support/look";
import { code, makeLot, placeSensor, say } from "../support/parking";
import { expect, expectLive, test } from "../support/test";

const marker = (page: Page, spot: string, word: string) => page.locator(".park-plan").getByRole("link", { name: new RegExp(`^${spot}: ${word}`) });

/** Of an odd number of values. */
const median = (values: number[]): number => [...values].sort((one, other) => one - other)[values.length >> 1];

test("a spot changes on the plan and in the list within a second of its sensor's word", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const [spot, sensor] = [`${lot.prefix}001`, code("S")];
  await placeSensor(page.request, url, sensor, spot);
  await page.goto(`/parking/${lot.id}`);
  await expectLive(page);
  await expect(marker(page, spot, "Free")).toBeVisible();
  await expect(marker(page, `${lot.prefix}002`, "Unknown")).toBeVisible();
  const row = page.getByRole("row").filter({ hasText: spot });
  await expect(row).toContainText("Free");

  // The page itself notes when the marker changes. One slow moment of the machine is no slow page: the median counts.
  const delays: number[] = [];
  for (const occupied of [true, false, true, false, true]) {
    const word = occupied ? "Occupied" : "Free";
    const watched = await page.evaluateHandle((start) => {
      const plan = document.querySelector(".park-plan")!;
      const isSo = () => [...plan.querySelectorAll("a")].some((one) => one.getAttribute("aria-label")?.startsWith(start));
      const at = new Promise<number>((resolve) => {
        new MutationObserver((_, observer) => {
          if (!isSo()) return;
          observer.disconnect();
          resolve(Date.now());
        }).observe(plan, { subtree: true, childList: true, attributes: true });
      });
      return { at };
    }, `${spot}: ${word}`);
    await say(page.request, url, sensor, occupied);
    const told = Date.now();
    delays.push(Math.max(0, (await watched.evaluate(({ at }) => at)) - told));
    await expect(marker(page, spot, word)).toBeVisible();
    await expect(row).toContainText(word);
    await expect(page.getByRole("navigation", { name: "Levels" })).toContainText(`${occupied ? 0 : 1} free of 8`);
  }
  expect(median(delays), `the marker followed after ${delays.join(", ")} ms`).toBeLessThan(1_000);
  await say(page.request, url, sensor, false);

  await marker(page, spot, "Free").click();
  await expect(page).toHaveURL(new RegExp(`/parking/spots/${spot}$`));
  await expect(page.getByRole("heading", { name: spot, level: 1 })).toBeVisible();
  await expect(page.getByRole("region", { name: "Sensor", exact: true })).toContainText(sensor);
  await expect(page.getByRole("region", { name: "History", exact: true })).toContainText("Occupied");
  await say(page.request, url, sensor, true);
  await expect(page.locator(".title-line")).toContainText("Occupied");
});

/** Numbers in 0 ≤ x < 1 that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All of them, a few at a time. */
async function each<T>(things: T[], act: (thing: T) => Promise<void>): Promise<void> {
  const left = [...things];
  const work = async (): Promise<void> => {
    for (let thing = left.shift(); thing !== undefined; thing = left.shift()) await act(thing);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

test("after a storm of sensors the plan shows what the server says, without a reload", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 10, 20);
  const numbers = Array.from({ length: 200 }, (_, index) => String(index + 1).padStart(3, "0"));
  const sensors = code("STORM");
  await each(numbers, (number) => placeSensor(page.request, url, `${sensors}-${number}`, lot.prefix + number));
  await page.goto(`/parking/${lot.id}`);
  await expectLive(page);
  await expect(page.locator(".park-spot")).toHaveCount(200);
  let loads = 0;
  page.on("load", () => loads++);

  const random = seeded(5);
  const last = new Map<string, string>();
  for (let round = 0; round < 5; round++) {
    const words = numbers.map((number) => ({ number, occupied: random() < 0.5 }));
    await each(words, ({ number, occupied }) => say(page.request, url, `${sensors}-${number}`, occupied));
    for (const { number, occupied } of words) last.set(lot.prefix + number, occupied ? "Occupied" : "Free");
  }

  const words: Record<string, string> = { available: "Free", occupied: "Occupied", reserved: "Reserved", unknown: "Unknown", disabled: "Out of use" };
  const kept = async (): Promise<[string, string][]> => {
    const answer = await page.request.get(`${url}/api/v1/spots?lot_id=${lot.id}`);
    const { spots } = (await answer.json()) as { spots: { id: string; status: string }[] };
    return spots.map(({ id, status }): [string, string] => [id, words[status]]).sort();
  };
  const shown = async (): Promise<[string, string][]> => {
    const labels = await page.locator(".park-plan .park-spot a").evaluateAll((all) => all.map((one) => one.getAttribute("aria-label") ?? ""));
    return labels.map((label): [string, string] => [label.split(": ")[0], label.split(": ")[1].split(",")[0]]).sort();
  };
  const said = [...last].sort();
  expect(await kept(), "an answer comes after the commit").toEqual(said);
  await expect.poll(shown).toEqual(said);
  expect(await kept(), "and nothing has changed since").toEqual(said);
  const free = said.filter(([, word]) => word === "Free").length;
  await expect(page.getByRole("navigation", { name: "Levels" })).toContainText(`${free} free of 200`);
  expect(loads).toBe(0);
});

test("filters stand in the address and dim the plan", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  await page.goto(`/parking/${lot.id}`);
  await expectLive(page);
  await page.getByLabel("Zone", { exact: true }).selectOption("B");
  await expect(page).toHaveURL(/zone=B/);
  await expect(page.getByText("4 of 8 spots fit.")).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: `${lot.prefix}001` })).toBeHidden();
  await expect(page.getByRole("row").filter({ hasText: `${lot.prefix}005` })).toBeVisible();
  await expect(page.locator(".park-dim")).toHaveCount(4);
});

test("the plan is made larger, and as small as the whole of it, around what is looked at", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 4, 12);
  const phone = await (await openContext({ baseURL: url, storageState: house.state, viewport: PHONE, hasTouch: true })).newPage();
  await phone.goto(`/parking/${lot.id}`);
  await expectLive(phone);
  const size = phone.getByRole("group", { name: "Size of the plan" });
  const [smaller, larger] = [size.getByRole("button", { name: "Smaller" }), size.getByRole("button", { name: "Larger" })];
  const drawn = () => phone.locator(".park-plan").evaluate((box) => ({ all: box.scrollWidth, seen: box.clientWidth, from: box.scrollLeft }));
  await expect(smaller).toBeEnabled();
  const usual = await drawn();
  expect(usual.all).toBeGreaterThan(usual.seen);
  await larger.click();
  await expect.poll(async () => (await drawn()).all).toBeGreaterThan(usual.all * 1.3);
  await expect.poll(async () => (await drawn()).from).toBeGreaterThan(0);
  await expect(async () => {
    await smaller.click({ timeout: 1_000 }).catch(() => {});
    await expect(smaller).toBeDisabled({ timeout: 500 });
  }).toPass();
  const whole = await drawn();
  expect(whole.all).toBe(whole.seen);
  await expectFits(phone, "plan");
  await expectClean(phone, "plan");
  await phone.screenshot({ path: "screenshots/plan-whole-phone-light.png" });
});

test("the overview counts along and a lot is added on it", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 4\d\d/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  const sensor = code("S");
  await placeSensor(page.request, url, sensor, `${lot.prefix}001`);
  await page.goto("/parking");
  await expectLive(page);
  const card = page.locator(".park-lot").filter({ hasText: lot.name });
  await expect(card).toContainText("free of 2");
  await expect(card.getByRole("img").first()).toHaveAccessibleName("1 free, 1 unknown");
  await say(page.request, url, sensor, true);
  await expect(card.getByRole("img").first()).toHaveAccessibleName("1 occupied, 1 unknown");

  await page.locator("summary").filter({ hasText: "Add lot" }).click();
  const form = page.locator("#create-lot");
  await form.getByLabel("Name").fill(lot.name);
  await form.getByLabel("Latitude").fill("95");
  await form.getByRole("button", { name: "Add lot" }).click();
  await expect(form.getByText("is needed with a latitude")).toBeVisible();
  await form.getByLabel("Latitude").fill("52,5");
  await form.getByLabel("Longitude").fill("13.4");
  await form.getByRole("button", { name: "Add lot" }).click();
  await expect(form.getByText("There is a lot of this name already.")).toBeVisible();
  await expect(form.getByLabel("Latitude")).toHaveValue("52,5");
  const name = uniqueName("Yard");
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button", { name: "Add lot" }).click();
  await expect(page.getByRole("heading", { name: `Edit ${name}`, level: 1 })).toBeVisible();
});

test("a new sensor appears in the inbox and is given its spot", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 4\d\d/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  const [spot, sensor] = [`${lot.prefix}002`, code("NEW")];
  await page.goto("/parking/sensors");
  await expectLive(page);
  await say(page.request, url, sensor, true, { location: "Level 1, by the lift" });
  const waiting = page.locator(".park-inbox li").filter({ hasText: sensor });
  await expect(waiting).toContainText("Occupied");
  await expect(waiting).toContainText("says that it is at “Level 1, by the lift”");
  const field = waiting.getByLabel(`Spot of ${sensor}`);
  await field.fill("NOWHERE-1");
  await waiting.getByRole("button", { name: "Place" }).click();
  await expect(waiting.getByText("Parking spot not found")).toBeVisible();
  await expect(field).toHaveValue("NOWHERE-1");
  await field.fill(spot);
  await waiting.getByRole("button", { name: "Place" }).click();
  await expect(waiting).toHaveCount(0);
  await page.goto(`/parking/sensors?search=${sensor}&which=placed`);
  const row = page.getByRole("row").filter({ hasText: sensor });
  await expect(row.getByRole("link", { name: spot })).toBeVisible();
  await page.goto(`/parking/${lot.id}`);
  await expect(marker(page, spot, "Occupied")).toBeVisible();

  await page.goto(`/parking/sensors?search=${sensor}`);
  await expectLive(page);
  await row.locator("summary").filter({ hasText: "Take away" }).click();
  await row.getByRole("button", { name: `Take ${sensor} away` }).click();
  await expect(waiting).toBeVisible();
  await waiting.getByRole("button", { name: `Ignore ${sensor}` }).click();
  await expect(waiting).toHaveCount(0);
  await expect(row).toContainText("Ignored");
});

test("another level is chosen, edited and left again", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  await makeByApi(page.request, url, `parking/lots/${lot.id}/levels`, { name: "Second", position: 2 });
  await page.goto(`/parking/${lot.id}`);
  await expectLive(page);
  await page.getByRole("navigation", { name: "Levels" }).getByRole("link", { name: "Second" }).click();
  await expect(page).toHaveURL(/level=/);
  await page.getByRole("link", { name: "Edit lot" }).click();
  await expect(page).toHaveTitle(/Edit/);
  await page.getByRole("link", { name: "Done" }).click();
  await expect(page).not.toHaveURL(/\/edit/);
  await expect(page.getByRole("heading", { name: lot.name, level: 1 })).toBeVisible();
});

test("levels and rows are made, and spots are moved by keys and pointer", async ({ page, house }) => {
  const { url } = house.portico;
  const { id } = await makeByApi(page.request, url, "parking/lots", { name: uniqueName("Deck") });
  const prefix = `${code("D")}-`;
  await page.goto(`/parking/${id}/edit`);
  await expectLive(page);
  await page.locator("summary").filter({ hasText: "Add level" }).click();
  await page.locator("#create-level").getByLabel("Name").fill("Roof");
  await page.locator("#create-level").getByRole("button", { name: "Add level" }).click();
  await expect(page).toHaveURL(/level=/);
  const rows = page.locator("#generate-spots");
  await rows.getByLabel("Rows", { exact: true }).fill("1");
  await rows.getByLabel("Spots in a row").fill("3");
  await rows.getByLabel("Ids begin with").fill(prefix);
  await rows.getByRole("button", { name: "Draw rows" }).click();
  const piece = page.getByRole("button", { name: new RegExp(`^${prefix}001:`) });
  await expect(piece).toHaveAccessibleName(`${prefix}001: 2.25 m from the left, 3.50 m from the top, turned by 0°`);

  await piece.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("r");
  await expect(piece).toHaveAccessibleName(`${prefix}001: 3.25 m from the left, 3.60 m from the top, turned by 15°`);
  await expect(page.getByText("1 spot moved")).toBeVisible();
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(piece).toHaveAccessibleName(/2\.25 m from the left, 3\.50 m from the top, turned by 0/);

  await piece.focus();
  await page.keyboard.press("Shift+ArrowDown");
  const other = page.getByRole("button", { name: new RegExp(`^${prefix}003:`) });
  const box = (await other.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 120, box.y + box.height / 2 + 60, { steps: 4 });
  await page.mouse.up();
  await expect(page.getByText("2 spots moved")).toBeVisible();

  // Nothing is lost by leaving: somebody is asked first.
  const asked: string[] = [];
  page.once("dialog", (dialog) => {
    asked.push(dialog.message());
    void dialog.dismiss();
  });
  await page.getByRole("link", { name: "Done" }).click();
  await expect.poll(() => asked).toEqual([expect.stringContaining("Leave without saving?")]);
  await expect(page).toHaveURL(/\/edit/);
  await expect(page.getByText("2 spots moved")).toBeVisible();
  await page.getByRole("button", { name: "Save places" }).click();
  await expect(page.getByText("Places saved")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save places" })).toBeHidden();
  const kept = async (number: string) => (await (await page.request.get(`${url}/api/v1/spots/${prefix}${number}`)).json()).spot.outline;
  expect((await kept("001")).y).toBe(450);
  expect((await kept("003")).x).toBeGreaterThan(850);
  expect(await kept("002")).toMatchObject({ x: 475, y: 350 });
});

test("a table is looked at before it is imported", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 1);
  const prefix = code("T");
  const file = (text: string) => ({ name: "spots.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
  await page.goto(`/parking/${lot.id}/edit`);
  await expectLive(page);
  const card = page.getByRole("region", { name: "Import spots from a table" });
  await card.getByLabel("File", { exact: true }).setInputFiles(file(`id,level,size\n${prefix}-1,L1,standard\n${prefix}-2,L9,enormous\n`));
  await card.getByRole("button", { name: "Look at it" }).click();
  await expect(card.getByRole("row").filter({ hasText: `${prefix}-2` })).toContainText("size:");
  await expect(card.getByText(/1 row is wrong/)).toBeVisible();
  await expect(card.getByRole("button", { name: /^Import/ })).toHaveCount(0);
  await card.getByLabel("File", { exact: true }).setInputFiles(file(`id,level,size,ev\n${prefix}-1,L1,standard,yes\n${prefix}-2,L9,large,no\n`));
  await expect(card.getByText(/1 row is wrong/)).toHaveCount(0);
  await card.getByRole("button", { name: "Look at it" }).click();
  await expect(card.getByText("2 spots would be added; new levels: L9.")).toBeVisible();
  expect((await page.request.get(`${url}/api/v1/spots/${prefix}-1`)).status(), "nothing is done yet").toBe(404);
  await card.getByRole("button", { name: "Import 2 spots" }).click();
  await expect(page.getByText("2 spots imported")).toBeVisible();
  await expect(page.getByRole("navigation", { name: "Levels" })).toContainText("L9");
  expect((await page.request.get(`${url}/api/v1/spots/${prefix}-1`)).status()).toBe(200);
});

test("a spot is changed and removed on its page", async ({ page, house, complaints }) => {
  // The page asks again a moment after a change: the spot may be gone by then.
  complaints.expected.push(/status of 404/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, 2);
  await page.goto(`/parking/spots/${lot.prefix}001`);
  await expectLive(page);
  await page.locator("summary").filter({ hasText: "Edit" }).click();
  const form = page.locator("#edit-spot");
  const renamed = `${lot.prefix}X1`;
  await form.getByLabel("Id", { exact: true }).fill(renamed);
  await form.getByLabel("With a charger").check();
  await form.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByRole("heading", { name: renamed, level: 1 })).toBeVisible();
  await expect(page.getByRole("region", { name: "About this spot" })).toContainText("Charger");
  await page.locator("summary").filter({ hasText: "Remove" }).click();
  await page.getByRole("button", { name: "Remove spot" }).click();
  await expect(page).toHaveURL(new RegExp(`/parking/${lot.id}\\?level=`));
  await expect(page.locator(".park-spot")).toHaveCount(1);
});

test("without JavaScript lots, levels and places are made and shown", async ({ house, page, openContext }) => {
  const { url } = house.portico;
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  const name = uniqueName("Plain");
  await plain.goto("/parking");
  await plain.locator("summary").filter({ hasText: "Add lot" }).click();
  const form = plain.locator("#create-lot");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Time zone").fill("Europe/Atlantis");
  await form.getByRole("button", { name: "Add lot" }).click();
  await expect(form.getByText(/no time zone of this name/)).toBeVisible();
  await expect(form.getByLabel("Name")).toHaveValue(name);
  await form.getByLabel("Time zone").fill("Europe/Berlin");
  await form.getByRole("button", { name: "Add lot" }).click();
  await expect(plain.getByRole("heading", { name: `Edit ${name}` })).toBeVisible();
  const prefix = `${code("N")}-`;
  await plain.locator("summary").filter({ hasText: "Add level" }).click();
  await plain.locator("#create-level").getByLabel("Name").fill("Only");
  await plain.locator("#create-level").getByRole("button", { name: "Add level" }).click();
  await plain.locator("#generate-spots").getByLabel("Rows", { exact: true }).fill("1");
  await plain.locator("#generate-spots").getByLabel("Spots in a row").fill("2");
  await plain.locator("#generate-spots").getByLabel("Ids begin with").fill(prefix);
  await plain.locator("#generate-spots").getByRole("button", { name: "Draw rows" }).click();
  await expect(plain.getByText(`${prefix}001`).first()).toBeVisible();

  await plain.goto(`/parking/spots/${prefix}001`);
  await plain.locator("summary").filter({ hasText: "Edit" }).click();
  await plain.locator("summary").filter({ hasText: "Place on the plan" }).click();
  await plain.locator("#edit-spot").getByLabel("Turned").fill("90");
  await plain.locator("#edit-spot").getByRole("button", { name: "Save changes" }).click();
  await expect(plain.getByRole("heading", { name: `${prefix}001` })).toBeVisible();
  const { spot } = await (await page.request.get(`${url}/api/v1/spots/${prefix}001`)).json();
  expect(spot.outline.angle).toBe(90);
  await plain.goto(`/parking/${spot.lot_id}`);
  await plain.locator(".park-plan").getByRole("link", { name: new RegExp(`^${prefix}001: Unknown`) }).click();
  await expect(plain.getByRole("heading", { name: `${prefix}001` })).toBeVisible();
});

test("these pages are clean and fit a phone and a desktop, in light and dark", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 4, 12);
  const put = async (number: number, settings: object) => {
    const id = `${lot.prefix}${String(number).padStart(3, "0")}`;
    const answer = await page.request.put(`${url}/api/v1/spots/${id}`, { data: { id, zone: "A", ...settings }, headers: { Origin: url } });
    expect(answer.ok(), await answer.text()).toBeTruthy();
  };
  await put(1, { is_accessible: true });
  await put(2, { is_ev: true, size: "large" });
  await put(3, { is_disabled: true });
  for (let number = 4; number < 16; number += 1) {
    const sensor = code("S");
    await placeSensor(page.request, url, sensor, `${lot.prefix}${String(number).padStart(3, "0")}`);
    if (number % 3 > 0) await say(page.request, url, sensor, true, { battery_level: number });
  }
  await say(page.request, url, code("WAITS"), true, { location: "By the lift" });
  const pages = {
    parking: "/parking",
    "parking-lot": `/parking/${lot.id}`,
    "parking-spot": `/parking/spots/${lot.prefix}004`,
    "parking-edit": `/parking/${lot.id}/edit`,
    "parking-sensors": "/parking/sensors",
  };
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme, reducedMotion: "reduce" })).newPage();
      for (const [what, path] of Object.entries(pages)) {
        await screen.goto(path);
        await expectLive(screen);
        await expectFits(screen);
        await expectClean(screen);
        await screen.screenshot({ path: `screenshots/${what}-${name}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
});
