// The page that shows the REST API. That its console stays empty is checked in every test.

import { expect, test } from "../support/test";

/** Swagger UI reads the whole document before it shows anything, which keeps a busy machine busy for seconds. */
const PATIENCE = { timeout: 30_000 };

test("the page of the API lists its operations and their examples", async ({ page, house }) => {
  await page.goto(`${house.portico.url}/docs`);
  await page.locator("#operations-tag-devices").getByRole("button", { name: "Expand operation" }).click(PATIENCE);
  const register = page.locator("#operations-devices-devices_register");
  await expect(register).toContainText("Register a device");
  await register.getByRole("button").first().click(PATIENCE);
  await expect(register).toContainText("Thermometer 2.07", PATIENCE);
});
