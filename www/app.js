import { CameraPanel } from "./panels/camera.js";
import { EarlierPanel } from "./panels/earlier.js";
import { GalleryPanel } from "./panels/gallery.js";
import { KeptPanel } from "./panels/kept.js";
import { ModelsPanel } from "./panels/models.js";
import { NamesPanel } from "./panels/names.js";
import { NegativesPanel } from "./panels/negatives.js";
import { PermalinkPanel } from "./panels/permalink.js";
import { PhotosPanel } from "./panels/photos.js";
import { PlacesPanel } from "./panels/places.js";
import { RejectPanel } from "./panels/reject.js";
import { StatusPanel } from "./panels/status.js";
import { TeachPanel } from "./panels/teach.js";
import { ToolbarPanel } from "./panels/toolbar.js";
import { TunePanel } from "./panels/tune.js";
import { VariantsPanel } from "./panels/variants.js";
import { PromptLens } from "./pkg/index.js";
import { Session } from "./session.js";
import { KeptWork } from "./state/kept.js";
import { preferred, setLanguage } from "./ui/i18n.js";
import { showLanguages } from "./ui/language.js";
import { modelAt } from "./ui/modellist.js";
import { keepOffline } from "./ui/offline.js";
import { readLink, saysStart, startsFrom } from "./ui/permalink.js";
import { modelLabels, readSettings } from "./ui/settings.js";
import { browserStores } from "./ui/store.js";

const { search } = location;
const settings = readSettings(search);
const element = (id) => document.getElementById(id);
const section = (name) => document.querySelector(`section.${name}`);

const session = new Session({
  load: ({ model, ...options }) => PromptLens.load({ model: modelAt(model), ...options }),
  settings,
  // The build decides which hub is asked for models.
  hub: document.querySelector("meta[name=promptlens-hub]").content || undefined,
});

const [visit] = performance.getEntriesByType("navigation");
const kept = new KeptWork(session, browserStores(), { linked: saysStart(search), reloaded: visit?.type === "reload" });
addEventListener("storage", (event) => kept.follow(event));
const { record } = kept;
const link = startsFrom(record, readLink(search));
session.rejection.restore(record);
session.negatives.own = record.negatives.own;

showLanguages(element("language"));
await setLanguage(preferred(search), { remember: false });

new StatusPanel(element("status"), session);
const models = new ModelsPanel(element("models"), session);
const earlier = new EarlierPanel(element("earlier"), session, models);
const names = new NamesPanel(section("names"), session, link, () => void models.offerBigger());
const gallery = new GalleryPanel(section("results"), session, link, element("details"));
new PhotosPanel(section("photos"), session);
new CameraPanel(element("camera-dialog"), session, element("camera"));
new ToolbarPanel(element("toolbar"), session);
new PermalinkPanel(element("permalink"), session);
new TunePanel(element("tune"), session, link);
new VariantsPanel(element("variants"), session, link);
const reject = new RejectPanel(element("reject"), session, link, { cards: element("cards"), open: (photo) => gallery.open(photo) });
new NegativesPanel(element("negatives"), session, link);
const teach = new TeachPanel(element("teach"), session, {
  chooseScore: () => reject.choose("lapt"),
  offerModel: (...offer) => earlier.offer(...offer),
  kept,
});
const keptPanel = new KeptPanel(element("kept"), session, kept, teach, (sha256) => earlier.offer(sha256, "prompt"));

element("to-names").addEventListener("click", () => names.focus());
new PlacesPanel(element("places"), session, (place) => reject.show(place === "check"));

await keepOffline();
await Promise.all([
  modelLabels(settings.model).then((own) => {
    session.setNames(record.names ?? (kept.resumed ? own : (settings.labels ?? own)), own);
    kept.begin();
  }),
  session.load(),
]);
earlier.checkLink(search);
await keptPanel.takenBack;
await session.prepare();
