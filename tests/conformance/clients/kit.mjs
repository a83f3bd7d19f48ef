// fhir-kit-client against the service.
import assert from "node:assert/strict";
import { CapabilityTool, Client } from "fhir-kit-client";
import { base, mark, observation, outcomeOf, pair, patient, refusal, system, tell, token } from "./facts.mjs";

const client = new Client({ baseUrl: base, bearerToken: token });
const create = (body, headers = {}) => client.create({ resourceType: body.resourceType, body, options: { headers } });
const answered = (result) => Client.httpFor(result).response;
const found = (bundle) => (bundle.entry ?? []).map((each) => each.resource.id);

async function refused(promise, status) {
  const error = await refusal(promise);
  assert.equal(error.response.status, status);
  return outcomeOf(error.response.data);
}

async function some(number, family = mark()) {
  for (let count = 0; count < number; count += 1) {
    await create(patient({ name: [{ family }] }));
  }
  return family;
}

await tell({
  async "reads the capability statement"() {
    const statement = await client.capabilityStatement();
    assert.equal(statement.fhirVersion, "4.0.1");
    const tool = new CapabilityTool(statement);
    for (const interaction of ["read", "vread", "create", "update", "patch", "delete", "search-type"]) {
      assert.ok(tool.interactionsFor({ resourceType: "Patient" }).includes(interaction));
    }
    assert.ok(tool.searchParamsFor({ resourceType: "Patient" }).includes("birthdate"));
  },
  async "reads what it has written"() {
    const made = await create(patient({ birthDate: "1980-02" }));
    assert.equal(answered(made).status, 201);
    assert.equal(answered(made).headers.get("etag"), 'W/"1"');
    assert.ok(answered(made).headers.get("location").endsWith(`/Patient/${made.id}/_history/1`));
    assert.deepEqual(await client.read({ resourceType: "Patient", id: made.id }), made);
    assert.deepEqual(await client.vread({ resourceType: "Patient", id: made.id, version: "1" }), made);
  },
  async "changes only the version that it has seen"() {
    const made = await create(patient());
    const change = (version) =>
      client.update({
        resourceType: "Patient",
        id: made.id,
        body: { ...made, active: true },
        options: { headers: { "If-Match": `W/"${version}"` } },
      });
    assert.equal((await change(1)).meta.versionId, "2");
    assert.equal(await refused(change(1), 412), "version-moved");
  },
  async "creates and updates by criteria"() {
    const one = mark();
    const body = patient({ identifier: [{ system, value: one }] });
    const condition = { "If-None-Exist": `identifier=${system}|${one}` };
    const made = await create(body, condition);
    const again = await create(body, condition);
    assert.deepEqual([answered(made).status, answered(again).status], [201, 200]);
    assert.equal(again.id, made.id);
    const changed = await client.update({
      resourceType: "Patient",
      searchParams: { identifier: `${system}|${one}` },
      body: { ...body, active: true },
    });
    assert.deepEqual([changed.id, changed.meta.versionId], [made.id, "2"]);
  },
  async "patches"() {
    const made = await create(patient());
    const patch = (jsonPatch) => client.patch({ resourceType: "Patient", id: made.id, jsonPatch });
    assert.equal((await patch([{ op: "replace", path: "/gender", value: "female" }])).gender, "female");
    await refused(patch([{ op: "replace", path: "/gender", value: "nam" }]), 422);
  },
  async "deletes"() {
    const made = await create(patient());
    const gone = await client.delete({ resourceType: "Patient", id: made.id });
    assert.equal(answered(gone).status, 204);
    await refused(client.read({ resourceType: "Patient", id: made.id }), 410);
    await refused(client.read({ resourceType: "Patient", id: mark() }), 404);
  },
  async "searches, follows chains and includes"() {
    const family = mark();
    const made = await create(patient({ name: [{ family }] }));
    const note = await create(observation(`Patient/${made.id}`));
    const ask = (resourceType, searchParams, options) => client.search({ resourceType, searchParams, options });
    assert.deepEqual(found(await ask("Patient", { family, gender: "male" })), [made.id]);
    assert.deepEqual(found(await ask("Patient", { family }, { postSearch: true })), [made.id]);
    assert.deepEqual(found(await ask("Observation", { "subject:Patient.family": family })), [note.id]);
    assert.deepEqual(found(await ask("Patient", { family, "_has:Observation:patient:code": "8867-4" })), [made.id]);
    const both = await ask("Observation", { _id: note.id, _include: "Observation:subject" });
    assert.deepEqual(both.entry.map((each) => each.search.mode), ["match", "include"]);
    assert.deepEqual(found(await ask("Patient", { family: [family, "khong"] })), []);
    assert.equal((await ask("Patient", { family, _total: "accurate" })).total, 1);
  },
  async "searches in a compartment and in everything"() {
    const family = mark();
    const made = await create(patient({ name: [{ family }] }));
    const note = await create(observation(`Patient/${made.id}`));
    const compartment = { resourceType: "Patient", id: made.id };
    for (const options of [{}, { postSearch: true }]) {
      const inside = await client.search({ resourceType: "Observation", compartment, searchParams: {}, options });
      assert.deepEqual(found(inside), [note.id]);
      const everywhere = await client.search({ searchParams: { _type: "Patient,Observation", _id: note.id }, options });
      assert.deepEqual(found(everywhere), [note.id]);
    }
  },
  async "pages to the end"() {
    const family = await some(5);
    let page = await client.search({ resourceType: "Patient", searchParams: { family, _count: 2 } });
    const pages = [];
    while (page !== undefined) {
      pages.push(found(page));
      page = await client.nextPage({ bundle: page });
    }
    assert.deepEqual(pages.map((each) => each.length), [2, 2, 1]);
    assert.equal(new Set(pages.flat()).size, 5);
  },
  async "reads histories"() {
    const made = await create(patient());
    await client.update({ resourceType: "Patient", id: made.id, body: { ...made, active: true } });
    const own = await client.history({ resourceType: "Patient", id: made.id });
    assert.deepEqual(own.entry.map((each) => each.resource.meta.versionId), ["2", "1"]);
    for (const bundle of [await client.history({ resourceType: "Patient" }), await client.history()]) {
      assert.equal(bundle.type, "history");
      assert.ok(bundle.entry.every((each) => each.request.method && each.response.status));
    }
  },
  async "sends batches and transactions"() {
    for (const kind of ["batch", "transaction"]) {
      const body = { ...pair(kind, mark()) };
      body.entry = kind === "batch" ? body.entry.slice(0, 1) : body.entry;
      const answer = await client[kind]({ body });
      assert.equal(answer.type, `${kind}-response`);
      assert.ok(answer.entry.every((each) => each.response.status === "201 Created"));
    }
    const broken = pair("transaction", mark());
    broken.entry[1].resource.status = "khong";
    assert.equal(await refused(client.transaction({ body: broken }), 422), "code");
  },
  async "calls operations"() {
    const made = await create(patient());
    const note = await create(observation(`Patient/${made.id}`));
    const whole = { name: "everything", resourceType: "Patient", id: made.id };
    for (const method of ["GET", "POST"]) {
      assert.deepEqual(found(await client.operation({ ...whole, method })), [made.id, note.id]);
    }
    const judge = (input) => client.operation({ name: "$validate", resourceType: "Patient", input });
    assert.ok((await judge(patient())).issue.every((each) => each.severity !== "error"));
    assert.ok((await judge(patient({ gender: "nam" }))).issue.some((each) => each.severity === "error"));
    const expanded = await client.operation({
      name: "expand",
      resourceType: "ValueSet",
      method: "GET",
      input: { url: "http://hl7.org/fhir/ValueSet/administrative-gender" },
    });
    assert.equal(expanded.expansion.contains.length, 4);
    assert.equal(await refused(client.operation({ name: "nothing" }), 400), "operation-unknown");
  },
  async "resolves references"() {
    const made = await create(patient());
    const note = await create(observation(`Patient/${made.id}`));
    const { reference } = note.subject;
    assert.equal((await client.resolve({ reference, context: note })).id, made.id);
    assert.equal((await client.resolve({ reference: `${base}/${reference}` })).id, made.id);
    const bundle = await client.search({
      resourceType: "Observation",
      searchParams: { _id: note.id, _include: "Observation:subject" },
    });
    assert.equal((await client.resolve({ reference, context: bundle })).id, made.id);
  },
  async "is told in an outcome what is wrong"() {
    assert.equal(await refused(create(patient({ gender: "nam" })), 422), "code");
    const ask = client.search({ resourceType: "Patient", searchParams: { colour: "red" } });
    assert.equal(await refused(ask, 400), "search-parameter-unknown");
    const nobody = new Client({ baseUrl: base });
    await refused(nobody.read({ resourceType: "Patient", id: "x" }), 401);
  },
});
