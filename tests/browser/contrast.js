() => {
  // Every visible text against the ground it stands on, by the WCAG formula; 4.5 is needed, 3 for large text.
  const read = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = (part) => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const over = (top, under) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((at) => top[at] * alpha + under[at] * (1 - alpha));
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if ((colour[3] ?? 1) > 0) layers.push(colour);
      if ((colour[3] ?? 1) === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), read(getComputedStyle(document.body).backgroundColor));
  };
  const seen = new Set();
  const below = [];
  let checked = 0;
  const walker = document.createTreeWalker(document.getElementById("app"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility({ opacityProperty: true })) continue;
    const style = getComputedStyle(element);
    const under = ground(element);
    const [light, dark] = [luminance(over(read(style.color), under)), luminance(under)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && Number(style.fontWeight) >= 700);
    checked++;
    const name = `${element.tagName.toLowerCase()}.${element.className} ${ratio.toFixed(2)} “${node.textContent.trim().slice(0, 30)}”`;
    if (ratio < (large ? 3 : 4.5) && !seen.has(name)) below.push(name);
    seen.add(name);
  }
  return { checked, below };
}
