// MedplumClient of @medplum/core against the service.
import assert from "node:assert/strict";
import { MedplumClient, OperationOutcomeError } from "@medplum/core";
import { base, mark, observation, outcomeOf, pair, patient, refusal, system, tell, token } from "./facts.mjs";

const place = new URL(base);
const options = {
  baseUrl: place.origin,
  fhirUrlPath: place.pathname.slice(1),
  accessToken: token,
  cacheTime: 0,
  maxRetries: 0,
};
const client = new MedplumClient(options);

async function refused(promise) {
  const error = await refusal(promise);
  assert.ok(error instanceof OperationOutcomeError);
  return outcomeOf(error.outcome);
}

await tell({
  async "reads the capability statement"() {
    const statement = await client.get(client.fhirUrl("metadata"));
    assert.equal(statement.fhirVersion, "4.0.1");
  },
  async "reads what it has written"() {
    const made = await client.createResource(patient({ birthDate: "1980-02" }));
    assert.deepEqual(await client.readResource("Patient", made.id), made);
    assert.deepEqual(await client.readVersion("Patient", made.id, "1"), made);
    assert.deepEqual(await client.readReference({ reference: `Patient/${made.id}` }), made);
  },
  async "changes only the version that it has seen"() {
    const made = await client.createResource(patient());
    const change = () => client.updateResource({ ...made, active: true }, { headers: { "If-Match": 'W/"1"' } });
    assert.equal((await change()).meta.versionId, "2");
    assert.equal(await refused(change()), "version-moved");
  },
  async "creates and updates by criteria"() {
    const one = mark();
    const body = patient({ identifier: [{ system, value: one }] });
    const made = await client.createResourceIfNoneExist(body, `identifier=${system}|${one}`);
    assert.equal((await client.createResourceIfNoneExist(body, `identifier=${system}|${one}`)).id, made.id);
    const changed = await client.upsertResource({ ...body, active: true }, { identifier: `${system}|${one}` });
    assert.deepEqual([changed.id, changed.active], [made.id, true]);
  },
  async "patches"() {
    const made = await client.createResource(patient());
    const patch = (value) => client.patchResource("Patient", made.id, [{ op: "replace", path: "/gender", value }]);
    assert.equal((await patch("female")).gender, "female");
    assert.equal(await refused(patch("nam")), "code");
  },
  async "deletes"() {
    const made = await client.createResource(patient());
    await client.deleteResource("Patient", made.id);
    assert.equal(await refused(client.readResource("Patient", made.id)), "deleted");
  },
  async "searches, follows chains and includes"() {
    const family = mark();
    const made = await client.createResource(patient({ name: [{ family }] }));
    const note = await client.createResource(observation(`Patient/${made.id}`));
    assert.equal((await client.searchOne("Patient", { family })).id, made.id);
    assert.equal(await client.searchOne("Patient", { family: mark() }), undefined);
    const chained = await client.searchResources("Observation", { "subject:Patient.family": family });
    assert.deepEqual(chained.map((each) => each.id), [note.id]);
    assert.equal(chained.bundle.type, "searchset");
    const both = await client.search("Observation", `_id=${note.id}&_include=Observation:subject`);
    assert.deepEqual(both.entry.map((each) => each.resource.id), [note.id, made.id]);
  },
  async "pages to the end"() {
    const family = mark();
    for (let count = 0; count < 5; count += 1) {
      await client.createResource(patient({ name: [{ family }] }));
    }
    const pages = [];
    for await (const page of client.searchResourcePages("Patient", { family, _count: 2 })) {
      pages.push(page.map((each) => each.id));
    }
    assert.deepEqual(pages.map((each) => each.length), [2, 2, 1]);
    assert.equal(new Set(pages.flat()).size, 5);
  },
  async "reads histories"() {
    const made = await client.createResource(patient());
    await client.updateResource({ ...made, active: true });
    const versions = (bundle) => bundle.entry.map((each) => each.resource.meta.versionId);
    assert.deepEqual(versions(await client.readHistory("Patient", made.id)), ["2", "1"]);
    assert.deepEqual(versions(await client.readHistory("Patient", made.id, { count: 1 })), ["2"]);
  },
  async "sends batches and transactions"() {
    const answer = await client.executeBatch(pair("transaction", mark()));
    assert.deepEqual(answer.entry.map((each) => each.response.status), ["201 Created", "201 Created"]);
    const broken = pair("transaction", mark());
    broken.entry[1].resource.status = "khong";
    assert.equal(await refused(client.executeBatch(broken)), "code");
  },
  async "gathers reads into a batch by itself"() {
    const made = await client.createResource(patient());
    const sent = [];
    const gathering = new MedplumClient({
      ...options,
      autoBatchTime: 20,
      fetch: (url, request) => {
        sent.push(request.method);
        return fetch(url, request);
      },
    });
    const [read, again, gone] = await Promise.allSettled([
      gathering.readResource("Patient", made.id),
      gathering.search("Patient", { _id: made.id }),
      gathering.readResource("Patient", mark()),
    ]);
    assert.deepEqual(sent, ["POST"]);
    assert.deepEqual(read.value, made);
    assert.equal(again.value.entry[0].resource.id, made.id);
    assert.equal(outcomeOf(gone.reason.outcome), "not-found");
  },
  async "calls operations"() {
    const made = await client.createResource(patient());
    const note = await client.createResource(observation(`Patient/${made.id}`));
    const whole = await client.readPatientEverything(made.id);
    assert.deepEqual(whole.entry.map((each) => each.resource.id), [made.id, note.id]);
    assert.ok((await client.validateResource(patient())).issue.every((each) => each.severity !== "error"));
    assert.ok((await client.validateResource(patient({ gender: "nam" }))).issue.some((each) => each.severity === "error"));
    const url = "http://hl7.org/fhir/ValueSet/administrative-gender";
    const expanded = await client.valueSetExpand({ url, filter: "fem", count: 5 });
    assert.deepEqual(expanded.expansion.contains.map((each) => each.code), ["female"]);
  },
  async "downloads the bytes of a Binary"() {
    const made = await client.createResource({ resourceType: "Binary", contentType: "text/plain", data: "eGluIGNow6Bv" });
    const blob = await client.download(client.fhirUrl("Binary", made.id), { headers: { Accept: "text/plain" } });
    assert.equal(await blob.text(), "xin chào");
  },
  // It sends files as they are; papers come in through the pages here, or as the `data` of a Binary.
  async "is told that a file is sent inside a Binary"() {
    const file = { data: new Uint8Array([0, 255]), contentType: "image/png" };
    assert.equal(await refused(client.createBinary(file)), "media-type");
  },
  async "is told in an outcome what is wrong"() {
    assert.equal(await refused(client.createResource(patient({ gender: "nam" }))), "code");
    assert.equal(await refused(client.search("Patient", { colour: "red" })), "search-parameter-unknown");
    const nobody = new MedplumClient({ ...options, accessToken: undefined });
    assert.ok((await refusal(nobody.readResource("Patient", "x"))) instanceof OperationOutcomeError);
  },
  // Its own schemas come by GraphQL, which R4 does not have as an interaction and which is not here.
  async "is told that there is no GraphQL here"() {
    assert.equal(await refused(client.requestSchema("Patient")), "operation-unknown");
  },
});
