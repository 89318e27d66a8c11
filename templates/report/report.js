"use strict";
const figures = [...document.querySelectorAll(".plot")];
const config = { displaylogo: false, responsive: true, plotlyServerURL: "", // nothing is sent away
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const line = style.getPropertyValue("--line").trim();
  const axes = {};
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    const { title, ...rest } = layout[name];
    axes[name] = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true,
      title: { font: { size: 13 }, ...title }, ...rest };
  }
  return { ...layout, ...axes, font: { color: ink, size: 13, family: "system-ui, sans-serif" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
    margin: { l: 66, r: 18, t: 44, b: 52 } };
}

function draw() {
  for (const place of figures) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    Plotly.react(place, spec.data, themed(spec.layout), config);
  }
}

if (window.Plotly) {
  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("beforeprint", draw);
  window.addEventListener("afterprint", draw);
} else {
  for (const place of figures) {
    place.textContent = "The figure needs the script file beside this page; its numbers follow.";
  }
}
