// From an OpenAPI document to a Postman collection. Usage: convert.mjs OPENAPI COLLECTION
import { readFileSync, writeFileSync } from "node:fs";
import converter from "openapi-to-postmanv2";

const [source, target] = process.argv.slice(2);
const options = {
  folderStrategy: "Tags",
  requestParametersResolution: "Example",
  exampleParametersResolution: "Example",
  requestNameSource: "Fallback",
  optimizeConversion: true,
  // Credentials are the collection's variables, once for all requests.
  includeAuthInfoInExample: false,
};
const input = { type: "json", data: JSON.parse(readFileSync(source, "utf8")) };
const result = await new Promise((resolve, reject) => {
  converter.convertV2(input, options, (error, done) => (error ? reject(error) : resolve(done)));
});
if (!result.result) {
  throw new Error(result.reason);
}
const collection = result.output[0].data;
collection.variable = [
  { key: "baseUrl", value: "http://127.0.0.1:3000" },
  { key: "bearerToken", value: "" },
  { key: "apiKey", value: "" },
];

// Optional parameters are offered, not sent.
let requests = 0;
function each(items) {
  for (const item of items) {
    if (item.item) {
      each(item.item);
      continue;
    }
    requests += 1;
    for (const parameter of [...(item.request.url.query ?? []), ...(item.request.header ?? [])]) {
      if (parameter.key !== "Content-Type" && parameter.key !== "Accept") {
        parameter.disabled = true;
      }
    }
  }
}
each(collection.item);
const operations = Object.values(input.data.paths).flatMap((path) => Object.keys(path)).length;
if (requests !== operations) {
  throw new Error(`${requests} requests of ${operations} operations`);
}
writeFileSync(target, `${JSON.stringify(collection, null, 2)}\n`);
console.error(`${requests} requests`);
