/* `<PromptLensWidget>`: the element `<prompt-lens>` as a component of Vue 3. */
import { defineComponent, h, ref } from "vue";
import "./element.js";
import { attributesOf } from "./widget/attributes.js";

const EVENTS = { progress: "onProgress", ready: "onReady", result: "onResult", answer: "onAnswer", error: "onError" };

export const PromptLensWidget = defineComponent({
  name: "PromptLensWidget",
  props: {
    src: String,
    model: String,
    labels: [Array, String],
    template: [Array, String],
    tune: String,
    ood: { type: [String, Boolean], default: undefined },
    heatmap: { type: [Boolean, String], default: undefined },
    lang: String,
    device: String,
    camera: Boolean,
    live: Boolean,
  },
  emits: Object.keys(EVENTS),
  setup(props, { emit, expose, slots }) {
    const element = ref(null);
    expose({ element });
    const listeners = Object.fromEntries(Object.entries(EVENTS).map(([type, handler]) => [handler, (event) => event.target === element.value && emit(type, event)]));
    // As attributes, which ^ asks for: what is left out again is removed, not set to another type's nothing.
    const attributes = () => Object.fromEntries(Object.entries(attributesOf(props)).map(([name, value]) => [`^${name}`, value]));
    return () => h("prompt-lens", { ...attributes(), ...listeners, ref: element }, slots.default?.());
  },
});
