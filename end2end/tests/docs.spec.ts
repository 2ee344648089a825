// The page that shows the REST API. That its console stays empty is checked in every test.

import { expect, test } from "../support/test";

test("the page of the API lists its operations and their examples", async ({ page, house }) => {
  await page.goto(`${house.portico.url}/docs`);
  const register = page.locator("#operations-devices-devices_register");
  await expect(register).toContainText("Register a device");
  await register.getByRole("button").first().click();
  await expect(register).toContainText("Thermometer 2.07");
});
