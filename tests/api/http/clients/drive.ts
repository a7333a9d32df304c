// A merchant and a person, through the types that openapi-typescript makes: prints what happened, as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type Given = { url: string; merchant_token: string; person_token: string; person: string; perk: string };

declare const process: { argv: string[] };
const given = JSON.parse(process.argv[2]!) as Given;
const { person, perk } = given;
const as = (token: string) =>
  createClient<paths>({ baseUrl: given.url, headers: { Authorization: `Bearer ${token}` } });
const merchant = as(given.merchant_token);
const me = as(given.person_token);
const classes: Schemas["DataClass"][] = ["identity", "relationship", "behaviour", "restricted", "credit"];

const ask = (transaction_id: string, amount = 50_000) =>
  merchant.POST("/v1/eligibility", {
    body: { transaction_id, service: perk, subject: person, amount, context: { nights: 2 } },
  });
const number = { params: { path: { out_order_no: "ts-order" } } };

await me.POST("/v1/me/consents/withdraw", { body: { purpose: "perks", service: `inn/${perk}` } });
const refused = await ask("ts-1");
const request = (await merchant.POST("/v1/consents", { body: { service: perk, subject: person, classes } })).data!;
const byId = { params: { path: { request_id: request.id } } };
const answered = (await me.POST("/v1/me/consents/{request_id}/grant", { ...byId, body: { classes, warned: true } })).data!;
const granted = (await merchant.GET("/v1/consents/{request_id}", byId)).data!;
const decision = (await ask("ts-2")).data!;
const form: Schemas["OrderForm"] = {
  out_order_no: "ts-order",
  service: perk,
  decision_id: decision.decision_id,
  service_introduction: "a room",
  risk_fund: { name: "DEPOSIT", amount: 50_000 },
  need_user_confirm: true,
  time_range: {},
};
const order = (await merchant.POST("/v1/orders", { body: form })).data!;
const mine = { params: { path: { order_id: order.order_id } } };
const confirmed = (await me.POST("/v1/me/orders/{order_id}/confirm", mine)).data!;
const now = Date.now();
const ended = (
  await merchant.POST("/v1/orders/{out_order_no}/complete", {
    ...number,
    body: {
      post_payments: [{ name: "room", amount: 40_000 }],
      post_discounts: [],
      damage_amount: 0,
      time_range: { start_time: new Date(now - 3_600_000).toISOString(), end_time: new Date(now - 1_000).toISOString() },
    },
  })
).data!;
await merchant.POST("/v1/orders/{out_order_no}/pay", number);
const shown = (await merchant.GET("/v1/orders/{out_order_no}", number)).data!;
const listed = (await merchant.GET("/v1/orders", { params: { query: { limit: 1 } } })).data!;
const errors: (Schemas["ProblemDetails"] | undefined)[] = [
  refused.error,
  (await ask("ts-3", -1)).error,
  (await merchant.GET("/v1/orders/{out_order_no}", { params: { path: { out_order_no: "no-such-order" } } })).error,
  (await as("none").GET("/v1/orders/{out_order_no}", number)).error,
];
const outcome: Schemas["Outcome"] = decision.outcome;
console.log(
  JSON.stringify({
    consent: [request.state, answered.state, granted.state, granted.granted.length],
    eligibility: [outcome, decision.waived_amount, Date.parse(decision.valid_until) > now],
    order: [order.state, confirmed.state, ended.state, ended.total_amount, shown.state],
    listed: listed.items.map((one) => one.out_order_no),
    errors: errors.map((error) => [error!.status, error!.code, error!.detail.length > 0]),
  }),
);
