/** What the widget says, by language. `{name}` is replaced by the value of that name. */
const WORDS = {
  en: {
    choose: "Choose a photo",
    hint: "or drop it here, or paste",
    camera: "Use the camera",
    shoot: "Take the photo",
    close: "Close the camera",
    waiting: "Loading the model…",
    loading: "Loading the model: {percent}",
    looking: "Looking…",
    results: "Most likely names",
    outlier: "Probably none of these",
    inlier: "Fits the list",
    photo: "The photo",
    map: "Where it looks like {label}",
    answer: "{label}, {percent}.",
    retry: "Try again",
  },
  zh: {
    choose: "选择照片",
    hint: "或拖放到这里，或粘贴",
    camera: "使用相机",
    shoot: "拍照",
    close: "关闭相机",
    waiting: "正在载入模型…",
    loading: "正在载入模型：{percent}",
    looking: "正在查看…",
    results: "最可能的名称",
    outlier: "可能都不是",
    inlier: "符合列表",
    photo: "照片",
    map: "哪里像 {label}",
    answer: "{label}，{percent}。",
    retry: "重试",
  },
};

/**
 * The words of the nearest language there is.
 *
 * @param {string} wanted a BCP 47 tag; empty for the browser's languages
 * @returns {{code: string, say: (key: string, values?: Record<string, string>) => string}}
 */
export function words(wanted) {
  const tags = wanted ? [wanted] : navigator.languages;
  const code = tags.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => Object.hasOwn(WORDS, tag)) ?? "en";
  const say = (key, values = {}) => WORDS[code][key].replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  return { code, say };
}
