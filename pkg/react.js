"use client";
/* `<PromptLensWidget>`: the element `<prompt-lens>` as a component of React 18 and 19. */
import { createElement, forwardRef, useImperativeHandle, useLayoutEffect, useRef } from "react";
import "./element.js";
import { attributesOf } from "./widget/attributes.js";

const EVENTS = { progress: "onProgress", ready: "onReady", result: "onResult", answer: "onAnswer", error: "onError" };
const HANDLERS = Object.values(EVENTS);

export const PromptLensWidget = forwardRef(function PromptLensWidget({ children, ...props }, ref) {
  const element = useRef(null);
  const latest = useRef(props);
  useImperativeHandle(ref, () => element.current, []);
  // React 18 knows no events of elements; those of React 19 would be named otherwise.
  useLayoutEffect(() => {
    latest.current = props;
  });
  useLayoutEffect(() => {
    const { current } = element;
    const listeners = Object.entries(EVENTS).map(([type, handler]) => [type, (event) => event.target === current && latest.current[handler]?.(event)]);
    for (const [type, listener] of listeners) current.addEventListener(type, listener);
    return () => {
      for (const [type, listener] of listeners) current.removeEventListener(type, listener);
    };
  }, []);
  const { className, ...given } = Object.fromEntries(Object.entries(props).filter(([name]) => !HANDLERS.includes(name)));
  // On an element of one's own, React 18 takes `class` as it is written.
  return createElement("prompt-lens", { ...attributesOf(given), class: className, ref: element }, children);
});
