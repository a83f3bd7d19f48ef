// Facts about a client: each is tried once, in order, and told of in a line of JSON.
import assert from "node:assert/strict";

export const base = process.env.EMR_FHIR;
export const token = process.env.EMR_TOKEN;
export const system = "urn:test:number";

export const mark = () => `m${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;

export const patient = (more = {}) => ({
  resourceType: "Patient",
  name: [{ family: "Nguyễn", given: ["Văn", "An"] }],
  gender: "male",
  ...more,
});

export const observation = (reference, more = {}) => ({
  resourceType: "Observation",
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "8867-4" }] },
  subject: { reference },
  ...more,
});

// A patient, and an observation of that patient, which name each other by places that the server replaces.
export const pair = (type, family) => ({
  resourceType: "Bundle",
  type,
  entry: [
    {
      fullUrl: "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
      resource: patient({ name: [{ family }] }),
      request: { method: "POST", url: "Patient" },
    },
    {
      resource: observation("urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"),
      request: { method: "POST", url: "Observation" },
    },
  ],
});

// What a promise is refused with; a promise that is kept is wrong.
export async function refusal(promise) {
  let kept;
  try {
    kept = await promise;
  } catch (error) {
    return error;
  }
  return assert.fail(`it was not refused: ${JSON.stringify(kept)}`);
}

export function outcomeOf(resource) {
  assert.equal(resource?.resourceType, "OperationOutcome");
  const [issue] = resource.issue;
  assert.ok(issue.severity && issue.code && issue.diagnostics);
  return issue.details.coding[0].code;
}

export async function tell(facts) {
  for (const [name, fact] of Object.entries(facts)) {
    let wrong = null;
    try {
      await fact();
    } catch (error) {
      wrong = `${error.stack}\n${JSON.stringify(error.response ?? error.outcome ?? null)}`;
    }
    console.log(JSON.stringify({ name, wrong }));
  }
}
