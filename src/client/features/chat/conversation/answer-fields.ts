/** One field of an answer form. */
export interface Field {
  /** The property that it fills; empty when it is the whole answer. */
  name: string;
  label: string;
  required: boolean;
  kind: "text" | "number" | "boolean" | "choice" | "json";
  /** The options of a choice; empty for other kinds. */
  options: readonly string[];
}

interface Schema {
  type?: unknown;
  enum?: unknown;
  const?: unknown;
  title?: unknown;
  description?: unknown;
  properties?: unknown;
  required?: unknown;
}

/** Derives form fields from a JSON Schema. A schema that is not simple gives one field for free JSON. */
export function readFields(schema: unknown): Field[] {
  if (!isObject(schema)) return [toField("", { type: "string" }, true)];
  const { type, properties, required } = schema as Schema;
  if (type !== "object") return [toField("", schema, true)];
  if (!isObject(properties) || Object.keys(properties).length === 0) return [toField("", {}, true)];
  const needed = new Set(Array.isArray(required) ? required : []);
  return Object.entries(properties).map(([name, of]) => toField(name, isObject(of) ? of : {}, needed.has(name)));
}

function toField(name: string, { type, enum: options, title, description }: Schema, required: boolean): Field {
  const label = typeof description === "string" ? description : typeof title === "string" ? title : name;
  const field = { name, label, required, options: [] };
  if (Array.isArray(options) && options.every((one) => typeof one === "string"))
    return { ...field, kind: "choice", options };
  if (type === "boolean") return { ...field, kind: "boolean" };
  if (type === "number" || type === "integer") return { ...field, kind: "number" };
  return { ...field, kind: type === "string" ? "text" : "json" };
}

/**
 * Makes the answer from a form. Empty optional fields are left out.
 * @param entries the typed texts, by field name.
 * @throws SyntaxError when free JSON does not parse.
 */
export function toAnswer(fields: readonly Field[], entries: Readonly<Record<string, string>>): unknown {
  const values = fields.flatMap((field) => {
    const text = entries[field.name] ?? "";
    return text === "" && !field.required ? [] : [[field.name, toValue(field.kind, text)] as const];
  });
  return fields.length === 1 && fields[0]?.name === "" ? values[0]?.[1] : Object.fromEntries(values);
}

function toValue(kind: Field["kind"], text: string): unknown {
  if (kind === "number") return Number(text);
  if (kind === "boolean") return text === "true";
  return kind === "json" ? (JSON.parse(text) as unknown) : text;
}

/** Finds the text of a question under the usual keys. Without one it shows the value as JSON. */
export function readQuestion(value: unknown): string {
  if (typeof value === "string") return value;
  if (!isObject(value)) return JSON.stringify(value);
  for (const key of ["message", "question", "description", "prompt", "text"]) {
    const said = value[key];
    if (typeof said === "string" && said !== "") return said;
  }
  return JSON.stringify(value, null, 2);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
