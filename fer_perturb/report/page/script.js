"use strict";
// Tables sort and search, plots draw when they come into view, and follow the reader's choice of light or dark.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // ---- tables
  const value = (cell) => (cell.dataset.sort ?? cell.textContent).trim();
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "") || 0;
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      if (!button.textContent.trim()) button.textContent = "row";
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const keyed = [...body.rows].map((row) => [value(row.cells[column]), row]);
        keyed.sort(([a], [b]) => {
          if (a === "" || b === "") return compare(a, b); // what is missing stays below
          return descending ? compare(b, a) : compare(a, b);
        });
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }

  function searchable(box, number) {
    const table = box.querySelector("table");
    const line = document.createElement("div");
    line.className = "search";
    const label = document.createElement("label");
    label.append("Search ");
    const input = document.createElement("input");
    input.type = "search";
    input.id = `search-${number}`;
    label.append(input);
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    line.append(label, count);
    box.prepend(line);
    const rows = [...table.tBodies[0].rows];
    const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    input.addEventListener("input", () => {
      const asked = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = rows.filter((row) => (row.hidden = !asked.every((word) => words.get(row).includes(word))) === false);
      count.textContent = asked.length ? `${shown.length} of ${rows.length} rows` : "";
    });
  }

  document.querySelectorAll(".table table").forEach((table) => {
    if (table.tBodies[0].rows.length > 1) sortable(table);
  });
  document.querySelectorAll(".table[data-search]").forEach((box, number) => {
    if (box.querySelector("table").tBodies[0].rows.length > 8) searchable(box, number);
  });

  // ---- plots
  const figures = JSON.parse(document.getElementById("plots").textContent);
  const drawn = new Set();

  const colours = () => {
    const style = getComputedStyle(root);
    return (name) => style.getPropertyValue(name).trim();
  };

  function coloured(node, colour) {
    if (typeof node === "string") return node.replace(/^var\((--[a-z-]+)\)$/, (_, name) => colour(name));
    if (Array.isArray(node)) return node.map((inner) => coloured(inner, colour));
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, coloured(inner, colour)]));
  }

  function layout(own, colour, narrow) {
    const axis = {
      gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--muted"), automargin: true,
      fixedrange: true, ticks: "",
    };
    const font = { family: getComputedStyle(document.body).fontFamily, size: narrow ? 11 : 13, color: colour("--text") };
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font, hovermode: "closest", dragmode: false,
      margin: { l: 8, r: 8, t: 8, b: 8, pad: 4 },
      hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line"), font: { ...font } },
    };
    const axes = Object.keys(own).filter((key) => /^[xy]axis/.test(key));
    return { ...base, ...own, ...Object.fromEntries(axes.map((key) => [key, { ...axis, ...own[key] }])) };
  }

  // the labels of rows leave most of the width to what is drawn
  function labelled(rows, width, muted) {
    const most = Math.max(20, Math.floor(width / 18));
    const cut = (line) => (line.length > most ? `${line.slice(0, most - 1)}…` : line);
    const plain = (line) => cut(line).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    const text = ([first, ...more]) => [plain(first), ...more.map((line) => `<span style="color:${muted}">${plain(line)}</span>`)].join("<br>");
    return { tickvals: rows.map((_, place) => place), ticktext: rows.map(text) };
  }

  function draw(box) {
    const figure = figures[Number(box.id.replace("plot-", ""))];
    const colour = colours();
    const own = coloured(figure, colour);
    if (figure.rows.length) Object.assign(own.layout.yaxis, labelled(figure.rows, box.clientWidth, colour("--muted")));
    drawn.add(box);
    return Plotly.react(box, own.data, layout(own.layout, colour, box.clientWidth < 560), {
      displayModeBar: false, responsive: true,
    });
  }

  if (typeof Plotly !== "undefined") {
    const seen = new IntersectionObserver((entries) => {
      entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
        seen.unobserve(target);
        draw(target);
      });
    }, { rootMargin: "400px" });
    document.querySelectorAll(".plot").forEach((box) => seen.observe(box));
    const again = () => drawn.forEach((box) => box.offsetParent && draw(box));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    addEventListener("hashchange", again);
    addEventListener("beforeprint", () => {
      document.querySelectorAll(".plot").forEach((box) => box.offsetParent && draw(box));
    });
  }

  // ---- where the reader is
  const links = [...document.querySelectorAll(".bar nav a")];
  const title = document.title;
  const here = () => {
    const target = document.getElementById(location.hash.slice(1));
    const run = target?.closest(".run");
    document.title = run ? `${run.dataset.title} – ${title}` : title;
    if (run) mark("runs");
  };
  const mark = (id) => links.forEach((link) => {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  const sections = new IntersectionObserver((entries) => {
    const seen = entries.filter((entry) => entry.isIntersecting).at(-1);
    if (seen) mark(seen.target.id);
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll(".overview > section").forEach((section) => sections.observe(section));
  addEventListener("hashchange", here);
  here();
})();
