// Parking without an account: the code of a spot on a phone, its price, the pass by its secret link; a taken spot, a lot
// that does not allow it, without JavaScript, and the sheet of codes.

import type { APIRequestContext, Page } from "@playwright/test";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits, PHONE } from "../support/look";
import { expect, expectLive, test, type OpenContext } from "../support/test";

let count = 0;

interface Spot {
  id: string;
  key: string;
}

interface Lot {
  id: string;
  name: string;
  spots: Spot[];
}

/** A lot at 2.00 EUR an hour with so many spots, where anybody may park by their codes unless `booking` says otherwise. */
async function makeLot(request: APIRequestContext, url: string, spots: number, booking: object = { is_walk_up: true }): Promise<Lot> {
  const rules = { currency: "EUR", unit_minutes: 60, unit_price_minor: 200 };
  const tariff = (await makeByApi(request, url, "parking/tariffs", { name: uniqueName("Tariff"), rules })).id;
  const name = uniqueName("Street");
  const lot = await makeByApi(request, url, "parking/lots", { name, address: "2 Harbour Street", time_zone: "Europe/Berlin", tariff_id: tariff, booking });
  const level = await makeByApi(request, url, `parking/lots/${lot.id}/levels`, { name: "Ground" });
  const made: Spot[] = [];
  for (let number = 0; number < spots; number++) {
    const id = `W${process.pid}-${++count}`;
    const spot = await makeByApi(request, url, "spots", { id, level_id: level.id });
    made.push({ id, key: spot.key });
  }
  return { id: lot.id, name, spots: made };
}

/** The phone of somebody who has no account. */
async function phoneOf(openContext: OpenContext, url: string, options: object = {}): Promise<Page> {
  return (await openContext({ baseURL: url, viewport: PHONE, hasTouch: true, ...options })).newPage();
}

/** Begins a stay of an hour over REST; its secret. */
async function begin(request: APIRequestContext, url: string, key: string): Promise<string> {
  return (await makeByApi(request, url, `public/spots/${key}/stays`, { duration_minutes: 60, plate: "B AB 123" })).token;
}

test("who scans the code of a spot sees the price, parks, stays longer and leaves", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const [spot] = lot.spots;
  const phone = await phoneOf(openContext, url);
  await phone.goto(`/park/${spot.key}`);
  await expect(phone).toHaveTitle(/Park here/);
  await expect(phone.getByTestId("walk-up-spot")).toHaveText(spot.id);
  await expect(phone.getByText("Free", { exact: true })).toBeVisible();
  await expect(phone.getByTestId("walk-up-tariff")).toHaveText("2.00 EUR per started 1 h");
  await expect(phone.getByRole("button", { name: "Park here" })).toHaveCount(0);
  await expectFits(phone, "walk-up");
  await expectClean(phone, "walk-up");

  const lengths = phone.getByRole("navigation", { name: "How long" });
  await expect(lengths.getByRole("link")).toHaveText(["30 min", "1 h", "2 h", "4 h"]);
  await lengths.getByRole("link", { name: "2 h", exact: true }).click();
  await expect(phone).toHaveURL(/minutes=120/);
  await expect(phone.getByTestId("receipt")).toContainText("Parking: 2 × 2.00 EUR");
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("4.00 EUR");
  await expect(phone.getByText("You pay at the machine.")).toBeVisible();
  await expectClean(phone, "walk-up-price");
  await lengths.getByRole("link", { name: "1 h", exact: true }).click();
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("2.00 EUR");
  await phone.getByLabel("Number plate").fill("B AB 123");
  await phone.getByRole("button", { name: "Park here" }).click();

  await expect(phone).toHaveURL(/\/park\/pass\/[0-9a-f]{64}$/);
  await expect(phone.getByTestId("stay-spot")).toContainText(spot.id);
  await expect(phone.getByText("Parked", { exact: true })).toBeVisible();
  await expect(phone.getByTestId("stay-left")).toContainText("left");
  await expect(phone.getByTestId("payment")).toContainText("Pay at the machine");
  await expect(phone.getByTestId("payment")).toContainText("2.00 EUR");
  // Who finds the link is not told whose car it is.
  await expect(phone.getByText("B AB 123")).toHaveCount(0);
  await expectFits(phone, "stay");
  await expectClean(phone, "stay");

  await phone.getByRole("button", { name: /^1 h more, until .*: 2\.00 EUR$/ }).click();
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("4.00 EUR");
  await expect(phone.getByTestId("payment")).toContainText("4.00 EUR");

  // Who looks after the lot sees it among all, and notes the payment.
  await page.goto("/reservations?show=all");
  await page.getByRole("row").filter({ hasText: spot.id }).getByRole("link", { name: spot.id }).click();
  await expect(page.getByText("B AB 123")).toBeVisible();
  await expectLive(page);
  await page.getByText("Mark as paid", { exact: true }).click();
  await page.getByRole("button", { name: "It was paid" }).click();
  await expect(page.getByText("Paid", { exact: true })).toBeVisible();

  await phone.reload();
  await expect(phone.getByTestId("payment")).toHaveCount(0);
  await expect(phone.getByText("Paid", { exact: true })).toBeVisible();
  await phone.getByText("End now", { exact: true }).click();
  await expect(phone.getByText(/Nothing is given back/)).toBeVisible();
  await phone.getByRole("button", { name: "Yes, I have left" }).click();
  await expect(phone.getByText("Completed", { exact: true })).toBeVisible();
  await expect(phone.getByText("End now", { exact: true })).toHaveCount(0);
  await phone.getByRole("link", { name: "Park here again" }).click();
  await expect(phone.getByTestId("walk-up-spot")).toHaveText(spot.id);
  await expect(phone.getByText("Free", { exact: true })).toBeVisible();
});

test("a taken spot says so, and nothing of who parks there", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/status of 409/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const [spot] = lot.spots;
  const late = await phoneOf(openContext, url);
  await late.goto(`/park/${spot.key}?minutes=60`);
  await late.getByLabel("Number plate").fill("M XY 9");
  await begin(page.request, url, spot.key);
  await late.getByRole("button", { name: "Park here" }).click();
  await expect(late.getByText("Somebody else was faster")).toBeVisible();
  await expect(late.getByText("Taken", { exact: true })).toBeVisible();
  await expect(late.getByText("Nobody can begin to park here now")).toBeVisible();
  await expect(late.getByRole("button", { name: "Park here" })).toHaveCount(0);
  await expect(late.getByText("B AB 123")).toHaveCount(0);
  await expectClean(late, "walk-up-taken");
});

test("a lot that does not allow it, and a link that is none, lead to nothing", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/status of 404/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1, {});
  const phone = await phoneOf(openContext, url);
  for (const path of [`/park/${lot.spots[0].key}`, "/park/nonsense", `/park/pass/${"0".repeat(64)}`]) {
    expect((await phone.goto(path))?.status(), path).toBe(404);
    await expect(phone.getByRole("heading", { name: "Not found" })).toBeVisible();
    await expect(phone.getByText(lot.spots[0].id)).toHaveCount(0);
  }

  // Who manages the lot allows it: a box in its settings.
  await page.goto(`/parking/${lot.id}/edit`);
  await expectLive(page);
  await page.locator(".park-settings > summary").click();
  await page.getByLabel("Anybody at a spot may park by its code, without an account").check();
  await page.getByRole("button", { name: "Save settings" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  expect((await phone.goto(`/park/${lot.spots[0].key}`))?.status()).toBe(200);
  await expect(phone.getByTestId("walk-up-spot")).toHaveText(lot.spots[0].id);
});

test("without JavaScript links and forms bring price, stay, more time and its end", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 1);
  const plain = await phoneOf(openContext, url, { javaScriptEnabled: false });
  await plain.goto(`/park/${lot.spots[0].key}`);
  await plain.getByRole("link", { name: "1 h", exact: true }).click();
  await expect(plain.getByTestId("receipt").locator("tfoot")).toContainText("2.00 EUR");
  await plain.getByText("Until …").click();
  await plain.getByRole("button", { name: "Show price" }).click();
  await expect(plain).toHaveURL(/until=/);
  await expect(plain.getByTestId("receipt").locator("tfoot")).toContainText("2.00 EUR");
  await plain.getByRole("button", { name: "Park here" }).click();
  await expect(plain.getByTestId("stay-spot")).toContainText(lot.spots[0].id);
  await plain.getByRole("button", { name: /^2 h more/ }).click();
  await expect(plain.getByTestId("stay-spot")).toContainText(lot.spots[0].id);
  await expect(plain.getByTestId("receipt").locator("tfoot")).toContainText("6.00 EUR");
  await plain.getByText("End now", { exact: true }).click();
  await plain.getByRole("button", { name: "Yes, I have left" }).click();
  await expect(plain.getByText("Completed", { exact: true })).toBeVisible();
});

test("the sheet has a code for each spot that leads to its page", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, 3);
  await page.goto(`/parking/${lot.id}/edit`);
  await expectLive(page);
  await page.getByRole("link", { name: "QR codes" }).click();
  await expect(page.getByRole("heading", { name: `Codes of ${lot.name}`, level: 1 })).toBeVisible();
  for (const spot of lot.spots) {
    await expect(page.getByRole("img", { name: `QR code of spot ${spot.id}` }).locator("svg")).toBeVisible();
    await expect(page.getByText(new RegExp(`/park/${spot.key}$`))).toBeVisible();
  }
  await page.goto(`/parking/spots/${lot.spots[1].id}`);
  await expectLive(page);
  await page.getByRole("link", { name: "QR code" }).click();
  await expect(page.getByRole("img", { name: /^QR code of spot/ })).toHaveCount(1);
  await expect(page.getByText("does not allow parking without an account")).toHaveCount(0);

  const closed = await makeLot(page.request, url, 1, {});
  await page.goto(`/parking/${closed.id}/codes`);
  await expect(page.getByText("This lot does not allow parking without an account yet")).toBeVisible();

  const token = await begin(page.request, url, lot.spots[2].key);
  const screens: [string, string][] = [
    ["codes", `/parking/${lot.id}/codes`],
    ["walk-up", `/park/${lot.spots[0].key}?minutes=60`],
    ["stay", `/park/pass/${token}`],
  ];
  for (const [name, viewport] of [["phone", PHONE], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme })).newPage();
      for (const [what, path] of screens) {
        await screen.goto(path);
        await expect(screen.getByRole("heading", { level: 1 })).toBeVisible();
        await expect(screen).toHaveTitle(/Codes of|Park here|Your stay/);
        await expectFits(screen, what);
        await expectClean(screen, what);
        await screen.screenshot({ path: `screenshots/${what}-${name}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
});
