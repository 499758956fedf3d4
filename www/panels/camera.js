/** A photo from the camera. */
import { t } from "../ui/i18n.js";

const open = document.getElementById("camera");
const dialog = document.getElementById("camera-dialog");
const video = document.getElementById("camera-video");
const shoot = document.getElementById("camera-shoot");
const close = document.getElementById("camera-close");
const problem = document.getElementById("camera-error");

/** Why there is no picture, by the name of the browser's error, whose own sentence is in its own language. */
const REASONS = { NotAllowedError: "camera.denied", NotFoundError: "camera.missing", NotReadableError: "camera.busy" };

/** @type {MediaStream | null} */
let stream = null;

/** Calls `receive` with each photo taken. */
export function onCamera(receive) {
  open.hidden = !navigator.mediaDevices?.getUserMedia;
  open.addEventListener("click", async () => {
    problem.hidden = true;
    shoot.disabled = true;
    dialog.showModal();
    try {
      const started = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      stop();
      stream = started;
      // The reader may have closed the dialog while the browser asked.
      if (!dialog.open) return stop();
      video.srcObject = stream;
      await video.play();
      shoot.disabled = false;
      shoot.focus();
    } catch (error) {
      problem.textContent = t("camera.failed", { reason: REASONS[error.name] ? t(REASONS[error.name]) : error.message });
      problem.hidden = false;
    }
  });
  shoot.addEventListener("click", async () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    dialog.close();
    if (blob) receive([new File([blob], t("camera.file"), { type: blob.type })]);
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", stop);
  // A camera that nobody looks at is off.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && dialog.open) dialog.close();
  });
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
}
