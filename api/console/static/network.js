// Explore a network: Cytoscape comes when somebody asks for it, and shows what the page may show. It draws on a canvas; the tables
// on the page say the same to people who use a keyboard or a screen reader.
"use strict";
(() => {
  const section = document.querySelector("[data-explorer]");
  if (!section) return;
  const part = (name) => section.querySelector(`[data-explorer-${name}]`);
  const words = JSON.parse(section.dataset.words);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  let network, graph, layer, shown;

  function load(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.addEventListener("load", resolve);
      script.addEventListener("error", reject);
      document.head.append(script);
    });
  }

  const label = (node) => (node.name || (node.kind === "merchant" ? words.merchant : words.hidden));

  function edgesOf(name) {
    if (name === "ties") return network.ties.ties.map((tie) => ({source: tie.a, target: tie.b, weight: tie.strength, text: tie.kinds.map((kind) => words[kind] || kind).join(", ")}));
    return network.money.payments.map((payment) => ({source: payment.payer, target: payment.payee, weight: payment.count, text: `${payment.count} ×`, directed: true}));
  }

  function elements() {
    const nodes = network[layer].nodes;
    const visible = new Set([...nodes.keys()].filter((place) => nodes[place].steps <= 1 || shown.has(place)));
    const edges = edgesOf(layer).filter((edge) => visible.has(edge.source) && visible.has(edge.target));
    return [
      ...[...visible].map((place) => ({group: "nodes", data: {id: String(place), label: label(nodes[place])}, classes: `${nodes[place].kind} step${nodes[place].steps}`})),
      ...edges.map((edge, place) => ({group: "edges", data: {id: `e${place}`, source: String(edge.source), target: String(edge.target), text: edge.text, width: 1 + Math.min(5, Math.log2(1 + (edge.weight || 0)))}, classes: edge.directed ? "directed" : ""})),
    ];
  }

  // The people one step further who are around this one and not in the picture yet.
  function around(place) {
    const nodes = network[layer].nodes;
    return edgesOf(layer)
      .filter((edge) => edge.source === place || edge.target === place)
      .map((edge) => (edge.source === place ? edge.target : edge.source))
      .filter((other) => nodes[other].steps > 1 && !shown.has(other));
  }

  const style = () => [
    {selector: "node", style: {"background-color": colour("surface"), "border-width": 2, "border-color": colour("series-3"), label: "data(label)", color: colour("ink"), "font-size": 12, "text-valign": "bottom", "text-margin-y": 4, "text-outline-width": 2, "text-outline-color": colour("surface"), "text-wrap": "ellipsis", "text-max-width": "9em", width: 26, height: 26}},
    {selector: "node.merchant", style: {shape: "round-rectangle", "border-color": colour("series-2")}},
    {selector: "node.step0", style: {"background-color": colour("accent"), "border-color": colour("accent"), width: 34, height: 34}},
    {selector: "node.step2", style: {width: 14, height: 14, "border-color": colour("quiet"), "font-size": 10, color: colour("quiet")}},
    {selector: "node:selected", style: {"border-width": 4, "border-color": colour("accent")}},
    {selector: "edge", style: {width: "data(width)", "line-color": colour("quiet"), "curve-style": "bezier", opacity: 0.7}},
    {selector: "edge.directed", style: {"target-arrow-shape": "triangle", "target-arrow-color": colour("quiet")}},
    {selector: "edge:selected", style: {label: "data(text)", "font-size": 11, color: colour("ink"), "text-background-color": colour("surface"), "text-background-opacity": 1, "line-color": colour("accent")}},
  ];

  function draw() {
    const data = elements();
    const rings = {name: "concentric", concentric: (node) => 3 - Number(/step(\d)/.exec(node.classes().join(" "))[1]), levelWidth: () => 1, minNodeSpacing: 24, animate: false, padding: 24};
    graph.elements().remove();
    graph.add(data);
    graph.layout(rings).run();
    const select = part("person");
    const nodes = network[layer].nodes;
    const options = [...nodes.keys()].filter((place) => nodes[place].steps === 1).map((place) => new Option(label(nodes[place]), place));
    const chosen = select.value;
    select.replaceChildren(...options);
    if (options.some((option) => option.value === chosen)) select.value = chosen;
    part("expand").disabled = options.length === 0;
    choose(options.length ? Number(select.value) : null);
  }

  function choose(place) {
    const link = part("open");
    const node = place === null ? null : network[layer].nodes[place];
    if (node && node.steps === 1) part("person").value = String(place);
    link.hidden = !(node && node.name && node.steps === 1 && node.kind === "person");
    if (!link.hidden) link.href = `/people/${encodeURIComponent(node.name)}`;
  }

  function expand(place) {
    const more = around(place);
    more.forEach((other) => shown.add(other));
    if (more.length) draw();
    const text = more.length ? words.added.replace("%s", more.length) : words.none;
    part("status").textContent = `${label(network[layer].nodes[place])}: ${text}`;
    choose(place);
  }

  async function explore(button) {
    button.disabled = true;
    try {
      const [answer] = await Promise.all([fetch(section.dataset.address), load(section.dataset.library)]);
      if (!answer.ok) throw new Error(String(answer.status));
      network = await answer.json();
    } catch {
      part("status").textContent = words.failed;
      section.hidden = button.disabled = false;
      return;
    }
    section.hidden = false;
    [layer, shown] = ["ties", new Set()];
    graph = window.cytoscape({container: part("canvas"), style: style(), wheelSensitivity: 0.3, minZoom: 0.3, maxZoom: 3});
    graph.on("tap", "node", (event) => expand(Number(event.target.id())));
    draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => graph.style(style()));
    section.querySelector("h2").focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-explore]");
    if (button) explore(button);
    if (event.target === part("expand")) expand(Number(part("person").value));
    if (event.target === part("fit")) graph.fit(undefined, 24);
  });
  section.addEventListener("change", (event) => {
    if (event.target === part("layer")) {
      [layer, shown] = [event.target.value, new Set()];
      draw();
    }
    if (event.target === part("person")) choose(Number(event.target.value));
  });
  section.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
})();
