// Reservations: a driver's whole trip on a phone, two drivers and one spot, a tariff that changes, without JavaScript.

import type { APIRequestContext, Page } from "@playwright/test";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits, PHONE } from "../support/look";
import { expect, expectLive, signIn, test, type OpenContext } from "../support/test";

const PASSWORD = "seven purple umbrellas 42";

const RULES = {
  currency: "EUR",
  free_minutes: 15,
  unit_minutes: 30,
  unit_price_minor: 150,
  bands: [{ name: "Night", days: ["friday", "saturday"], from_minute: 1320, to_minute: 360, unit_price_minor: 50 }],
  daily_cap_minor: 1500,
  stay_cap_minor: null,
};

let count = 0;

interface Lot {
  id: string;
  name: string;
  tariff: string;
  tariffName: string;
  /** What is written on the spots. */
  spots: string[];
}

/** A lot in Berlin with a tariff and so many spots. */
async function makeLot(request: APIRequestContext, url: string, spots: number, settings: object = {}): Promise<Lot> {
  const tariffName = uniqueName("Tariff");
  const tariff = (await makeByApi(request, url, "parking/tariffs", { name: tariffName, rules: RULES })).id;
  const name = uniqueName("Garage");
  const lot = await makeByApi(request, url, "parking/lots", {
    name,
    address: "1 Harbour Street",
    time_zone: "Europe/Berlin",
    tariff_id: tariff,
    ...settings,
  });
  const level = await makeByApi(request, url, `parking/lots/${lot.id}/levels`, { name: "L1" });
  const names: string[] = [];
  for (let number = 1; number <= spots; number++) {
    const id = `R${process.pid}-${++count}`;
    await makeByApi(request, url, "spots", { id, level_id: level.id, zone: "A", is_ev: number === 2 });
    names.push(id);
  }
  return { id: lot.id, name, tariff, tariffName, spots: names };
}

/** As a `datetime-local` field of a lot in Berlin wants it: so many days ahead. */
function at(days: number, time: string): string {
  const day = new Date(Date.now() + days * 86_400_000);
  return `${new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Berlin", dateStyle: "short" }).format(day)}T${time}`;
}

/** The next Tuesday that lies at least two days ahead: no band holds on it. */
const TUESDAY = [2, 3, 4, 5, 6, 7, 8].map((days) => at(days, "").slice(0, 10)).find((day) => new Date(`${day}T12:00:00Z`).getUTCDay() === 2)!;
const tuesday = (time: string): string => `${TUESDAY}T${time}`;

async function driver(page: Page, url: string, openContext: OpenContext, options: object = {}): Promise<Page> {
  const username = `driver${process.pid}x${++count}`;
  const user = { username, email: `${username}@example.org`, password: PASSWORD, role: "user" };
  await makeByApi(page.request, url, "users", user);
  const own = await (await openContext({ baseURL: url, ...options })).newPage();
  await signIn(own, url, username, PASSWORD);
  await expect(own.getByRole("heading", { name: "The building right now" })).toBeVisible();
  return own;
}

async function ask(page: Page, from: string, until: string): Promise<void> {
  await page.getByLabel("From").fill(from);
  await page.getByLabel("Until").fill(until);
  await page.getByRole("button", { name: "Show price" }).click();
}

test("a driver's whole trip on a phone", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 2);
  const phone = await driver(page, url, openContext, { viewport: PHONE, hasTouch: true });
  await phone.goto(`/parking/${lot.id}`);
  await expectLive(phone);
  await phone.getByRole("link", { name: "Reserve", exact: true }).click();
  await expect(phone.getByRole("heading", { name: "Reserve a spot" })).toBeVisible();
  await expect(phone.getByLabel("Lot", { exact: true })).toHaveValue(lot.id);
  await expect(phone.getByTestId("zone")).toHaveText("Europe/Berlin");

  // What is wrong is said beside the field, and nothing typed is lost.
  await ask(phone, tuesday("10:00"), tuesday("09:00"));
  await expect(phone.getByText("lies after the beginning")).toBeVisible();
  await expect(phone.getByLabel("From")).toHaveValue(tuesday("10:00"));
  await ask(phone, tuesday("10:00"), tuesday("12:00"));
  const offer = phone.locator("#offer");
  await expect(offer.getByTestId("offered-spot")).toHaveText(lot.spots[0]);
  await expect(offer.getByText("Free then")).toBeVisible();
  // A quarter of an hour is free, then four started half hours.
  await expect(offer.getByTestId("receipt")).toContainText("Free time");
  await expect(offer.getByTestId("receipt")).toContainText("Parking: 4 × 1.50 EUR");
  await expect(offer.getByTestId("receipt").locator("tfoot")).toContainText("6.00 EUR");
  await expect(offer).toContainText("10:00 – 12:00");

  await offer.getByLabel("Number plate").fill("B AB 123");
  await offer.getByRole("button", { name: "Reserve", exact: true }).click();
  await expect(phone).toHaveURL(/\/reservations\/[0-9a-f]{32}$/);
  await expect(phone.getByTestId("pass-spot")).toContainText(lot.spots[0]);
  await expect(phone.getByRole("img", { name: "QR code of this pass" }).locator("svg")).toBeVisible();
  await expect(phone.getByText("Confirmed", { exact: true })).toBeVisible();
  await expect(phone.getByText("10:00 – 12:00")).toBeVisible();
  await expect(phone.getByText(/^Begins in/)).toBeVisible();
  await expect(phone.getByText(/You may come from .* 09:45 on/)).toBeVisible();
  await expect(phone.getByTestId("payment")).toContainText("Pay at the place");
  await expect(phone.getByText("B AB 123")).toBeVisible();
  // Not yet, and not for a driver.
  await expect(phone.getByRole("button", { name: "I am here" })).toHaveCount(0);
  await expect(phone.getByText("Mark as paid")).toHaveCount(0);

  await expectLive(phone);
  await phone.getByText("Change", { exact: true }).click();
  const change = phone.locator("#change");
  await change.getByLabel("Until").fill(tuesday("13:00"));
  await change.getByRole("button", { name: "Change reservation" }).click();
  await expect(phone.getByText("10:00 – 13:00")).toBeVisible();
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("9.00 EUR");

  await phone.goto("/reservations");
  await expect(phone.getByRole("table", { name: "Coming, the next first" }).getByRole("row").filter({ hasText: lot.spots[0] })).toContainText("9.00 EUR");
  await phone.getByRole("link", { name: lot.spots[0] }).click();
  await phone.getByText("Cancel reservation", { exact: true }).click();
  await expect(phone.getByText("Nothing was paid, so nothing is given back.")).toBeVisible();
  await phone.getByRole("button", { name: "Yes, cancel it" }).click();
  await expect(phone.getByText("Cancelled", { exact: true })).toBeVisible();
  await expect(phone.getByRole("img", { name: "QR code of this pass" })).toHaveCount(0);
  await phone.goto("/reservations");
  await expect(phone.getByRole("table", { name: "Over, the latest first" })).toContainText("Cancelled");
});

test("of two drivers who want the last spot the second is told, and offered another time", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/status of 409/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const [first, second] = [await driver(page, url, openContext), await driver(page, url, openContext)];
  for (const own of [first, second]) {
    await own.goto(`/parking/reserve?lot=${lot.id}`);
    await expectLive(own);
    await ask(own, tuesday("10:00"), tuesday("12:00"));
    await expect(own.getByText("Free then")).toBeVisible();
  }
  await second.getByLabel("Number plate").fill("M XY 9");
  await first.getByRole("button", { name: "Reserve", exact: true }).click();
  await expect(first).toHaveURL(/\/reservations\/[0-9a-f]{32}$/);
  await expect(first.getByTestId("pass-spot")).toContainText(lot.spots[0]);
  await second.getByRole("button", { name: "Reserve", exact: true }).click();
  await expect(second.getByText(`Somebody else was faster: ${lot.spots[0]} is taken now.`)).toBeVisible();
  await expect(second.getByText("Taken then")).toBeVisible();
  await second.getByRole("link", { name: /12:30 – 14:30|12:00 – 14:00|on Tue/ }).first().click();
  await expect(second.getByText("Free then")).toBeVisible();
  await expect(second.getByLabel("Number plate")).toHaveValue("M XY 9");
  await second.getByRole("button", { name: "Reserve", exact: true }).click();
  await expect(second.getByTestId("pass-spot")).toContainText(lot.spots[0]);

  // Nobody sees what another has reserved.
  complaints.expected.push(/status of 404/);
  const address = new URL(first.url()).pathname;
  expect((await second.goto(address))?.status()).toBe(404);
  await expect(second.getByRole("heading", { name: "Not found" })).toBeVisible();
});

test("a new tariff holds for what is asked from now on, and not for what is reserved", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 2);
  const own = await driver(page, url, openContext);
  await own.goto(`/parking/reserve?spot=${lot.spots[0]}`);
  await expectLive(own);
  await expect(own.locator("#ask")).toContainText(lot.spots[0]);
  await ask(own, tuesday("10:00"), tuesday("11:00"));
  await own.getByRole("button", { name: "Reserve", exact: true }).click();
  await expect(own).toHaveURL(/\/reservations\/[0-9a-f]{32}$/);
  await expect(own.getByTestId("receipt").locator("tfoot")).toContainText("3.00 EUR");
  const pass = own.url();

  // Alive before the click: else the whole next page is loaded, and the one that is left may be live meanwhile.
  await page.goto("/parking/tariffs");
  await expectLive(page);
  const row = page.getByRole("row").filter({ hasText: lot.tariffName });
  await expect(row).toContainText("1.50 EUR per started 30 min, first 15 min free, at most 15.00 EUR a day");
  await expect(row).toContainText("Night 0.50 EUR (Fri, Sat 22:00–06:00)");
  await expect(row).toContainText(lot.name);
  await row.getByRole("link", { name: lot.tariffName }).click();
  await expect(page.getByRole("heading", { name: lot.tariffName, level: 1 })).toBeVisible();
  const price = page.getByLabel("Price of a unit").first();
  await expect(price).toHaveValue("1.50");
  await price.fill("2.505");
  await page.getByRole("button", { name: "Save tariff" }).click();
  await expect(page.getByText("EUR has 2 digits after the point, such as 1.50.")).toBeVisible();
  await price.fill("2,50");
  // One more row; and the first is taken out.
  await page.getByRole("button", { name: "Add hours" }).click();
  await expect(page.getByTestId("band")).toHaveCount(2);
  await page.getByRole("button", { name: "Take hours 1 out" }).click();
  const band = page.getByTestId("band");
  await band.getByLabel("Name").fill("Morning");
  await band.getByLabel("From").fill("06:00");
  await band.getByLabel("Until").fill("09:00");
  await band.getByLabel("Price of a unit").fill("x");
  await page.getByRole("button", { name: "Save tariff" }).click();
  await expect(band.getByText("An amount in EUR, such as 1.50.")).toBeVisible();
  await band.getByLabel("Price of a unit").fill("1");
  await page.getByRole("button", { name: "Save tariff" }).click();
  await expect(page).toHaveURL(/\/parking\/tariffs$/);
  await expect(row).toContainText("2.50 EUR per started 30 min");
  await expect(row).toContainText("Morning 1.00 EUR (Mon–Fri 06:00–09:00)");
  await expect(row).toContainText("v2");

  await own.goto(`/parking/reserve?spot=${lot.spots[1]}`);
  await expectLive(own);
  await ask(own, tuesday("10:00"), tuesday("11:00"));
  await expect(own.getByTestId("receipt").locator("tfoot")).toContainText("5.00 EUR");
  await own.goto(pass);
  await expect(own.getByTestId("receipt").locator("tfoot")).toContainText("3.00 EUR");

  // Whoever looks after the lot sees it among all, and notes the payment; the driver's page says so at once.
  await expectLive(own);
  await page.goto("/reservations?show=all");
  await expectLive(page);
  await page.locator("#filter-lot").selectOption({ label: lot.name });
  await expect(page).toHaveURL(new RegExp(`lot=${lot.id}`));
  await page.getByRole("link", { name: lot.spots[0], exact: true }).click();
  await page.getByText("Mark as paid", { exact: true }).click();
  await page.getByRole("button", { name: "It was paid" }).click();
  await expect(page.getByText("Paid", { exact: true })).toBeVisible();
  await expect(own.getByText("Paid", { exact: true })).toBeVisible();
  await expect(own.getByTestId("payment")).toHaveCount(0);

  // A tariff that a lot has cannot go.
  complaints.expected.push(/status of 409/);
  await page.goto(`/parking/tariffs/${lot.tariff}`);
  await expectLive(page);
  await page.getByText("Remove", { exact: true }).click();
  await page.getByRole("button", { name: "Remove tariff" }).click();
  await expect(page.getByText("A lot or a spot has this tariff: give it another first.")).toBeVisible();
});

test("who is there comes in, checks in and out", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const own = await driver(page, url, openContext);
  const start = new Date(Date.now() + 60_000).toISOString();
  const { reservation } = await makeByApi(own.request, url, "reservations", { spot_id: lot.spots[0], start_time: start, duration_hours: 1 });
  await own.goto(`/reservations/${reservation.id}`);
  await expectLive(own);
  await own.getByRole("button", { name: "I am here" }).click();
  await expect(own.getByText("Parked", { exact: true })).toBeVisible();
  await own.getByRole("button", { name: "I have left" }).click();
  await expect(own.getByText("Completed", { exact: true })).toBeVisible();
});

test("without JavaScript the forms bring price, reservation and tariff", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto(`/parking/reserve?lot=${lot.id}`);
  await ask(plain, tuesday("10:00"), tuesday("09:00"));
  await expect(plain.getByText("lies after the beginning")).toBeVisible();
  await expect(plain.getByLabel("From", { exact: true })).toHaveValue(tuesday("10:00"));
  await ask(plain, tuesday("10:00"), tuesday("12:00"));
  await expect(plain.getByTestId("receipt").locator("tfoot")).toContainText("6.00 EUR");
  await plain.getByLabel("Number plate").fill("B C 7");
  await plain.getByRole("button", { name: "Reserve", exact: true }).click();
  await expect(plain.getByTestId("pass-spot")).toContainText(lot.spots[0]);
  await plain.getByText("Cancel reservation", { exact: true }).click();
  await plain.getByRole("button", { name: "Yes, cancel it" }).click();
  await expect(plain.getByText("Cancelled", { exact: true })).toBeVisible();

  await plain.goto("/parking/tariffs/new");
  const name = uniqueName("Plain");
  await plain.getByLabel("Name", { exact: true }).fill(name);
  await plain.getByLabel("Price of a unit").fill("1.5");
  await plain.getByRole("button", { name: "Add hours" }).click();
  await expect(plain.getByLabel("Name", { exact: true }).first()).toHaveValue(name);
  const band = plain.getByTestId("band");
  await band.getByLabel("Name").fill("Night");
  await band.getByLabel("From").fill("22:00");
  await band.getByLabel("Until").fill("06:00");
  await band.getByLabel("Price of a unit").fill("cheap");
  await plain.getByRole("button", { name: "Save tariff" }).click();
  await expect(band.getByText("An amount in EUR, such as 1.50.")).toBeVisible();
  await expect(band.getByLabel("Name")).toHaveValue("Night");
  await band.getByLabel("Price of a unit").fill("0.50");
  await plain.getByRole("button", { name: "Save tariff" }).click();
  await expect(plain.getByRole("row").filter({ hasText: name })).toContainText("Night 0.50 EUR (Mon–Fri 22:00–06:00)");
});

test("without an account at Stripe there is no page to pay by card", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 404/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const wish = { spot_id: lot.spots[0], start_time: tuesday("10:00"), duration_hours: 2 };
  const pass = `/reservations/${(await makeByApi(page.request, url, "reservations", wish)).reservation.id}`;
  await page.goto(pass);
  await expectLive(page);
  await expect(page.getByTestId("payment")).toContainText("Pay at the place");
  await expect(page.getByRole("link", { name: "Pay by card" })).toHaveCount(0);
  const answer = await page.goto(`${pass}/pay`);
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  const policy = (await page.request.get(`${url}${pass}/pay`)).headers()["content-security-policy"];
  expect(policy).not.toContain("stripe");
});

test("the pages are clean and fit a phone and a desktop, in light and dark", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const gate = await makeByApi(page.request, url, "doors", { name: uniqueName("Gate") });
  const lot = await makeLot(page.request, url, 4, { gate_door_id: gate.id });
  const reserve = async (spot: string, start_time: string, data: object) =>
    (await makeByApi(page.request, url, "reservations", { spot_id: spot, start_time, duration_hours: 2, ...data })).reservation.id;
  const now = new Date(Date.now() + 60_000).toISOString();
  const here = await reserve(lot.spots[0], now, { plate: "B AB 123" });
  const later = await reserve(lot.spots[1], tuesday("10:00"), { duration_hours: 30, plate: "B AB 123" });
  await reserve(lot.spots[2], tuesday("10:00"), { user_name: "Dora Driver", user_email: "dora@example.org", plate: "M XY 99" });
  const gone = await reserve(lot.spots[3], tuesday("10:00"), {});
  await page.request.delete(`${url}/api/v1/reservations/${gone}`, { headers: { Origin: url } });
  const asked = `from=${encodeURIComponent(tuesday("10:00"))}&until=${encodeURIComponent(tuesday("12:00"))}`;
  const screens: [string, string][] = [
    ["reserve", `/parking/reserve?lot=${lot.id}`],
    ["reserve-offer", `/parking/reserve?lot=${lot.id}&${asked}`],
    ["reserve-taken", `/parking/reserve?spot=${lot.spots[1]}&${asked}`],
    ["reservations", "/reservations"],
    ["reservations-all", "/reservations?show=all"],
    ["reservations-none", "/reservations?show=all&search=nobody"],
    ["pass-now", `/reservations/${here}`],
    ["pass-later", `/reservations/${later}`],
    ["pass-over", `/reservations/${gone}`],
    ["tariffs", "/parking/tariffs"],
    ["tariff", `/parking/tariffs/${lot.tariff}`],
    ["tariff-new", "/parking/tariffs/new"],
  ];
  for (const [name, viewport] of [["phone", PHONE], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme })).newPage();
      for (const [what, path] of screens) {
        await screen.goto(path);
        await expectLive(screen);
        await expectFits(screen, what);
        await expectClean(screen, what);
        await screen.screenshot({ path: `screenshots/${what}-${name}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
});
