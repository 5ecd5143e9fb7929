// The shop: the catalogue, an order, its receipt. Text enters the page as text only; all requests go to its own origin.

const $ = (id) => document.getElementById(id);
const MOST = 999; // pieces of an item in one order, as the orders service has it
const DIFFERENT_LINES = 50;

const items = new Map(); // id -> {id, name, price}
const chosen = new Map(); // id -> quantity, in the order of choosing
let placed = ""; // the order that was placed last
let key = ""; // of the order being made: repeated with it, an order is placed once

// ---- asking -------------------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, text, reference = "") {
    super(text);
    this.status = status;
    this.reference = reference;
  }
}

/** The JSON answer, or a Refused whose message is for a person; `words` says what a status means here. */
async function ask(path, words = {}, options = {}) {
  let answer;
  try {
    // A redirect leads to the login page, which is another site: it is not followed, it is said.
    answer = await fetch(path, { ...options, redirect: "manual", headers: { accept: "application/json", ...options.headers } });
  } catch {
    throw new Refused(0, "The shop cannot be reached. Look at your connection and try again.");
  }
  if (answer.ok) return answer.json();
  if (answer.type === "opaqueredirect") throw new Refused(401, sentence(401, {}, answer.headers, words));
  const problem = await answer.json().catch(() => ({}));
  const reference = problem.request_id || problem.request || answer.headers.get("x-request-id") || "";
  throw new Refused(answer.status, sentence(answer.status, problem, answer.headers, words), reference);
}

function sentence(status, problem, headers, words) {
  const kind = String(problem.type ?? "").split(":").pop();
  if (words[kind] ?? words[status]) return words[kind] ?? words[status];
  if (status === 401) return "Your session has ended. Reload the page to log in again.";
  if (status === 403) return "Your account may not do this.";
  if (status === 429) return `That was a lot at once. Try again ${soon(headers.get("retry-after"))}.`;
  if (status >= 500) return "The shop cannot do this at the moment. Try again in a little while: nothing is paid twice.";
  const detail = typeof problem.detail === "string" ? problem.detail : "this was not accepted";
  // of a service, or of the edge, which holds a request against the same document before
  const place = (one) => one.where ?? `${one.in}${one.pointer}`;
  const named = Array.isArray(problem.errors) ? problem.errors.map((one) => `${place(one)}: ${one.message ?? one.detail}`) : [];
  return `${capital(detail)}${named.length ? ` (${named.join("; ")})` : ""}.`;
}

function soon(seconds) {
  const wait = Number.parseInt(seconds ?? "", 10);
  if (!(wait > 0)) return "in a moment";
  return wait < 90 ? `in ${wait} ${wait === 1 ? "second" : "seconds"}` : `in ${Math.ceil(wait / 60)} minutes`;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Minor units as a person reads them; how many digits they are is the currency's affair. */
function money({ amount, currency }) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

function pieces(count) {
  return count === 1 ? "1 piece" : `${count} pieces`;
}

// ---- telling ------------------------------------------------------------------------------------------------------

function say(text) {
  $("status").textContent = text;
}

function complain(error) {
  const box = $("problem");
  box.textContent = error instanceof Refused ? error.message : "Something went wrong on this page. Reload it.";
  if (error.reference) {
    const small = document.createElement("small");
    small.textContent = `Reference ${error.reference}`;
    box.append(small);
  }
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  if (!(error instanceof Refused)) console.error(error);
}

function calm() {
  $("problem").hidden = true;
}

function copy(template) {
  return $(template).content.firstElementChild.cloneNode(true);
}

function row(name, value) {
  const made = copy("line");
  made.children[0].textContent = name;
  made.children[1].textContent = value;
  return made;
}

// ---- the catalogue ------------------------------------------------------------------------------------------------

function card(item) {
  const made = copy("item");
  const symbol = `icon-${item.id}`;
  made.dataset.id = item.id;
  made.querySelector("use").setAttribute("href", $(symbol) ? `#${symbol}` : "#icon-other");
  made.querySelector("h3").textContent = item.name;
  made.querySelector(".price").textContent = money(item.price);
  const input = made.querySelector("input");
  const step = (by) => choose(item, (chosen.get(item.id) ?? 0) + by);
  for (const [part, label, deed] of [[".less", "One less", -1], [".more", "One more", 1]]) {
    const button = made.querySelector(part);
    button.setAttribute("aria-label", `${label}: ${item.name}`);
    button.addEventListener("click", () => step(deed));
  }
  made.querySelector(".stepper").setAttribute("aria-label", item.name);
  input.setAttribute("aria-label", `Quantity of ${item.name}`);
  input.addEventListener("change", () => choose(item, Number.parseInt(input.value, 10) || 0));
  return made;
}

function choose(item, wanted) {
  const quantity = Math.min(MOST, Math.max(0, wanted));
  if (quantity === 0) chosen.delete(item.id);
  else if (chosen.has(item.id) || chosen.size < DIFFERENT_LINES) chosen.set(item.id, quantity);
  key = ""; // another order
  calm();
  show();
  const sum = total();
  say(`${item.name}: ${pieces(quantity)}.${sum ? ` Goods together ${money(sum)}.` : ""}`);
}

/** What is chosen, together; undefined where nothing is. An order has one currency, that of its first item. */
function total() {
  let sum;
  for (const [id, quantity] of chosen) {
    const { amount, currency } = items.get(id).price;
    sum = { amount: (sum?.amount ?? 0) + amount * quantity, currency };
  }
  return sum;
}

function show() {
  const sum = total();
  for (const element of $("items").children) {
    const item = items.get(element.dataset.id);
    const quantity = chosen.get(item.id) ?? 0;
    const apart = sum !== undefined && sum.currency !== item.price.currency;
    element.classList.toggle("chosen", quantity > 0);
    element.querySelector("input").value = quantity;
    element.querySelector(".more").disabled = quantity >= MOST;
    element.querySelector(".less").disabled = quantity === 0;
    element.querySelector(".stepper").hidden = apart;
    element.querySelector(".apart").hidden = !apart;
    element.querySelector(".apart").textContent = apart ? `Sold in ${item.price.currency}: an order of its own.` : "";
  }
  $("lines").replaceChildren(
    ...[...chosen].map(([id, quantity]) => {
      const { name, price } = items.get(id);
      return row(`${quantity} × ${name}`, money({ ...price, amount: price.amount * quantity }));
    }),
  );
  const empty = sum === undefined;
  const count = [...chosen.values()].reduce((all, one) => all + one, 0);
  $("empty").hidden = !empty;
  $("order").hidden = empty;
  $("bar").hidden = empty;
  $("sum").textContent = $("bar-sum").textContent = empty ? "" : money(sum);
  $("bar-count").textContent = `Your order: ${pieces(count)}`;
}

// ---- ordering -----------------------------------------------------------------------------------------------------

async function buy(event) {
  event.preventDefault();
  const button = $("buy");
  if (button.getAttribute("aria-disabled") === "true" || !chosen.size) return;
  button.setAttribute("aria-disabled", "true"); // it keeps the focus, other than a disabled one
  calm();
  say("Placing the order.");
  key ||= crypto.randomUUID();
  const { currency } = total();
  const body = { currency, items: [...chosen].map(([id, quantity]) => ({ id, quantity })) };
  const words = {
    403: "Your account may not order here. Ask the shop to make you one of its customers.",
    "key-in-use": "This order is being placed already. Try again in a moment: it is placed once.",
  };
  try {
    const headers = { "content-type": "application/json", "idempotency-key": key };
    const order = await ask("/orders", words, { method: "POST", headers, body: JSON.stringify(body) });
    key = "";
    placed = order.id;
    chosen.clear();
    show();
    open(order.id);
  } catch (error) {
    say("");
    complain(error);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** The receipt of an order; its number is in the address, so that it can be kept and come back to. */
function open(id) {
  const wanted = `#order=${encodeURIComponent(id)}`;
  if (location.hash === wanted) receipt();
  else location.hash = wanted;
}

async function receipt() {
  const id = new URLSearchParams(location.hash.slice(1)).get("order");
  if (!id) {
    if (!location.hash) $("receipt").hidden = true; // another place of the page is no other order
    return;
  }
  calm();
  const words = { 403: "This order is not one of yours.", 404: "There is no order with this number." };
  try {
    const order = await ask(`/orders/${encodeURIComponent(id)}`, words);
    $("receipt-id").textContent = order.id;
    $("receipt-lines").replaceChildren(
      ...order.items.map(({ id: item, quantity, price }) =>
        row(`${quantity} × ${items.get(item)?.name ?? item}`, money({ ...price, amount: price.amount * quantity })),
      ),
    );
    $("receipt-goods").textContent = money(order.goods);
    $("receipt-cover").textContent = money(order.premium);
    $("receipt-total").textContent = money(order.total);
    $("receipt").hidden = false;
    $("receipt-title").textContent = order.id === placed ? "Thank you" : "Your earlier order";
    $("receipt-title").focus({ preventScroll: true });
    $("receipt").scrollIntoView({ block: "nearest" });
    say(`Order ${order.id}: paid ${money(order.total)}, of which ${money(order.premium)} for its cover.`);
  } catch (error) {
    $("receipt").hidden = true;
    say("");
    complain(error);
  }
}

function again() {
  history.pushState(null, "", location.pathname);
  $("receipt").hidden = true;
  $("goods").focus();
}

// ---- the start ----------------------------------------------------------------------------------------------------

async function account() {
  try {
    const me = await ask("/me");
    $("who").textContent = me.name;
    $("account").hidden = false;
  } catch (error) {
    if (error.status !== 401 && error.status !== 404) complain(error); // nobody is logged in: nothing to show
  }
}

async function catalogue() {
  try {
    for (const item of (await ask("/items")).items) items.set(item.id, item);
    $("items").replaceChildren(...[...items.values()].map(card));
    show();
  } catch (error) {
    complain(error);
  } finally {
    $("items").setAttribute("aria-busy", "false");
  }
}

$("order").addEventListener("submit", buy);
$("again").addEventListener("click", again);
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  open($("number").value.trim());
});
addEventListener("hashchange", receipt);
await Promise.all([account(), catalogue()]);
await receipt();
