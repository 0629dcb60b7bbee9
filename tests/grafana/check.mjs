// Holds every dashboard against Grafana's published types (npm package @grafana/schema), turned into JSON schemas.
//
//   npm ci && node check.mjs
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "../../dashboards");

// Data sources add keys of their own to what asks them.
const OPEN = ["AnnotationQuery", "DataQuery", "VariableModel"];
const KINDS = {
  stat: ["StatOptions", null],
  timeseries: ["TimeseriesOptions", "TimeseriesField"],
  "state-timeline": ["TimelineOptions", "TimelineField"],
  table: ["TableOptions", "TableField"],
};

const ajv = new Ajv({ allErrors: true, strict: false });
const validators = new Map();
const generator = createGenerator({
  path: join(here, "types.ts"),
  tsconfig: join(here, "tsconfig.json"),
  type: "*",
  skipTypeCheck: true,
});

function validator(type) {
  if (!validators.has(type)) {
    const schema = generator.createSchema(type);
    for (const name of Object.keys(schema.definitions)) {
      if (OPEN.includes(name)) schema.definitions[name].additionalProperties = true;
    }
    validators.set(type, ajv.compile(schema));
  }
  return validators.get(type);
}

let wrong = 0;

function hold(value, type, where) {
  const validate = validator(type);
  if (validate(value)) return;
  for (const error of validate.errors) {
    wrong += 1;
    console.error(`${where}${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);
  }
}

const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
if (files.length === 0) throw new Error(`no dashboards in ${folder}`);
let panels = 0;
for (const file of files) {
  const { panels: own, ...dashboard } = JSON.parse(readFileSync(join(folder, file), "utf8"));
  hold(dashboard, "Board", file);
  for (const panel of own) {
    const where = `${file} "${panel.title}" `;
    const [options, field] = KINDS[panel.type] ?? [];
    if (!options) throw new Error(`${where}: no type for panels of type ${panel.type}`);
    hold(panel, "OnePanel", where);
    hold(panel.options, options, `${where}options`);
    if (field) hold(panel.fieldConfig.defaults.custom, field, `${where}custom`);
    panels += 1;
  }
}
console.log(`${files.length} dashboards, ${panels} panels, ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
