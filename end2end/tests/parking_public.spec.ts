// A lot that its operator opens to the public: seen without an account, in a frame of another site, and no longer when it is
// closed; and the files that leave the car park.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIRequestContext, Page } from "@playwright/test";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { placeSensor } from "../support/parking";
import { expect, expectLive, test } from "../support/test";

interface Lot {
  id: string;
  name: string;
  /** What is written on the signs of both spots. */
  spots: [string, string];
}

/** A lot with two spots; the first is free, of the second nothing is known. */
async function makeLot(request: APIRequestContext, url: string, settings: object = {}): Promise<Lot> {
  const name = `${uniqueName("Open")} <b>&amp;`;
  const prefix = `${uniqueName("O").replace(/\W/g, "-")}-`;
  const lot = await makeByApi(request, url, "parking/lots", { name, address: "1 Harbour Street", debounce_s: 0, ...settings });
  const level = await makeByApi(request, url, `parking/lots/${lot.id}/levels`, { name: "L1", position: 1 });
  await makeByApi(request, url, `parking/levels/${level.id}/spots`, { rows: 1, columns: 2, prefix, first: 1 });
  const spots: [string, string] = [`${prefix}001`, `${prefix}002`];
  await placeSensor(request, url, `S-${spots[0]}`, spots[0]);
  return { id: lot.id, name, spots };
}

/** Ticks or unticks it in the settings of the lot. */
async function setOpen(page: Page, lot: Lot, open: boolean): Promise<void> {
  await page.goto(`/parking/${lot.id}/edit`);
  await expectLive(page);
  await page.locator(".park-settings > summary").click();
  const form = page.locator("#edit-lot");
  await form.getByLabel("Anybody may see how full it is").setChecked(open);
  await form.getByRole("button", { name: "Save settings" }).click();
  const link = form.getByRole("link", { name: "Public page" });
  if (open) await expect(link).toHaveAttribute("href", `/p/parking/${lot.id}`);
  await expect(link).toBeVisible({ visible: open });
}

test("a lot is opened, seen without an account, shown in a frame elsewhere, and closed again", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/status of 404/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const address = `${url}/p/parking/${lot.id}`;
  const visitor = await (await openContext()).newPage();
  expect((await visitor.goto(address))?.status(), "not open yet").toBe(404);
  await expect(visitor.getByRole("heading", { name: "Nothing to see here" })).toBeVisible();

  await setOpen(page, lot, true);
  expect((await visitor.goto(address))?.status()).toBe(200);
  await expect(visitor.getByRole("heading", { level: 1 })).toHaveText(lot.name);
  await expect(visitor.getByRole("main")).toContainText("1 free of 2");
  await expect(visitor.getByRole("main")).toContainText("1 Harbour Street");
  await expect(visitor.getByRole("main")).not.toContainText(lot.spots[0]);
  const told = await visitor.request.get(`${url}/api/v1/public/parking/${lot.id}`);
  expect((await told.json()).spots).toEqual({ total: 2, available: 1, unknown: 1 });
  const known = await visitor.request.get(`${url}/api/v1/public/parking/${lot.id}`, { headers: { "If-None-Match": told.headers()["etag"] } });
  expect(known.status()).toBe(304);

  // Another site, with its page in a frame.
  const frame = `<!doctype html><html lang="en"><title>Elsewhere</title><main><h1>Elsewhere</h1><iframe src="${address}?embed=1" title="Free parking"></iframe></main></html>`;
  const elsewhere = createServer((request, answer) => {
    answer.writeHead(request.url === "/" ? 200 : 204, { "Content-Type": "text/html" }).end(request.url === "/" ? frame : undefined);
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  try {
    await visitor.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
    const inside = visitor.frameLocator("iframe");
    await expect(inside.getByRole("main")).toContainText("1 free of 2");
    await expect(inside.getByRole("main")).not.toContainText("Harbour");
  } finally {
    elsewhere.close();
  }

  await setOpen(page, lot, false);
  const closed = await (await openContext()).newPage();
  expect((await closed.goto(address))?.status()).toBe(404);
  expect((await closed.request.get(`${url}/api/v1/public/parking/${lot.id}`)).status()).toBe(404);
});

test("the public page is clean and fits, in light and dark, small and without JavaScript", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, { is_public: true });
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ viewport, colorScheme })).newPage();
      for (const [what, query] of [["public", ""], ["public-embed", "?embed=1"]] as const) {
        await screen.goto(`${url}/p/parking/${lot.id}${query}`);
        await expect(screen.getByRole("main")).toContainText("1 free of 2");
        await expectFits(screen);
        await expectClean(screen, what);
        await screen.screenshot({ path: `screenshots/parking-${what}-${name}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
  const plain = await (await openContext({ javaScriptEnabled: false })).newPage();
  await plain.goto(`${url}/p/parking/${lot.id}`);
  await expect(plain.getByRole("main")).toContainText("1 free of 2");
  // In a <noscript>, which Chromium does not draw when its scripts are only switched off.
  expect(await plain.content()).toContain("Load the page again for newer numbers.");
});

test("spots and reservations are downloaded as files", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  await page.goto(`/parking/${lot.id}/edit`);
  await expectLive(page);
  const card = page.getByRole("region", { name: "Import spots from a table" });
  const [file] = await Promise.all([page.waitForEvent("download"), card.getByRole("link", { name: "CSV", exact: true }).click()]);
  expect(file.suggestedFilename()).toBe("spots.csv");
  // What leaves can be imported: nothing is new, nothing wrong.
  await card.getByLabel("File", { exact: true }).setInputFiles((await file.path())!);
  await card.getByRole("button", { name: "Look at it" }).click();
  await expect(card.getByText("2 spots would be changed.")).toBeVisible();
  await page.goto("/reservations?show=all&search=nobody");
  await expectLive(page);
  await expect(page.getByRole("link", { name: "CSV", exact: true })).toHaveAttribute("href", /search=nobody&has_spot=true$/);
  const [book] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "XLSX" }).click()]);
  expect(book.suggestedFilename()).toBe("reservations.xlsx");
});
