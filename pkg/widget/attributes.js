/**
 * What a component was given, as the element's attributes: lists as JSON, switches as words. Every value
 * means the same whether a framework sets it as an attribute or as a property, and what is left out is left
 * out. Other names are passed on.
 *
 * @param {Record<string, any>} given
 */
export function attributesOf({ labels, template, ood, heatmap, camera, live, ...others }) {
  const attributes = {
    ...others,
    labels: Array.isArray(labels) ? JSON.stringify(labels) : labels,
    template: Array.isArray(template) ? JSON.stringify(template) : template,
    ood: ood === false ? "none" : ood,
    heatmap: heatmap === true ? "true" : heatmap || undefined,
    camera: camera ? true : undefined,
    live: live ? true : undefined,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined && value !== null));
}
