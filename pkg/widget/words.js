import { contained } from "../text.js";

/** The widget's texts, by language. `{name}` is replaced by the value of that name. */
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
    speed: "{count} frames per second",
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
    speed: "每秒 {count} 帧",
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
 * What to do about an error, by its code or the first part of it, in languages that
 * the engine's own sentences are not in.
 */
const PROBLEMS = {
  zh: {
    image: "这张照片无法使用，请换一张。",
    labels: "类别名称无法使用，请检查。",
    prompt: "提示句无法使用，请检查。",
    options: "有选项无法使用，请检查设置。",
    config: "模型无法载入，请检查地址。",
    tokenizer: "模型无法载入，请检查地址。",
    weights: "模型无法载入，请检查地址。",
    store: "另一个标签页正在使用此模型，请稍后重试。",
    network: "下载失败，请检查网络连接后重试。",
    model: "此功能需要视觉 Transformer（ViT）模型，请换一个模型。",
    gpu: "显卡无法使用，请改用 CPU。",
    "gpu/lost": "浏览器收回了显卡，请重试。",
    camera: "无法使用相机，请改为选择照片。",
    io: "无法读取文件，请重新选择。",
    engine: "引擎意外停止，请重试。",
    "engine/out-of-memory": "内存不足，请关闭其他标签页。",
    "engine/not-finite": "结果不是有限的数值，请换一个设备。",
  },
};

/**
 * The texts in the best language that there is.
 *
 * @param {string} wanted a BCP 47 tag; empty for the browser's languages
 * @returns {{code: string, say: (key: string, values?: Record<string, string>) => string, explain: (error: {code: string, message: string}) => string}}
 */
export function words(wanted) {
  const tags = wanted ? [wanted] : navigator.languages;
  const code = tags.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => Object.hasOwn(WORDS, tag)) ?? "en";
  const say = (key, values = {}) => WORDS[code][key].replace(/\{(\w+)\}/g, (all, name) => contained(values[name] ?? all));
  const own = PROBLEMS[code] ?? {};
  const explain = (error) => own[error.code] ?? own[error.code.split("/")[0]] ?? error.message;
  return { code, say, explain };
}
