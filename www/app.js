import { CameraPanel } from "./panels/camera.js";
import { EarlierPanel } from "./panels/earlier.js";
import { GalleryPanel } from "./panels/gallery.js";
import { HonestPanel } from "./panels/honest.js";
import { KeptPanel } from "./panels/kept.js";
import { ModelsPanel } from "./panels/models.js";
import { NamesPanel } from "./panels/names.js";
import { NegativesPanel } from "./panels/negatives.js";
import { PermalinkPanel } from "./panels/permalink.js";
import { PhotosPanel } from "./panels/photos.js";
import { PilePanel } from "./panels/pile.js";
import { PlacesPanel } from "./panels/places.js";
import { RejectPanel } from "./panels/reject.js";
import { SharePanel } from "./panels/share.js";
import { StatusPanel } from "./panels/status.js";
import { TeachPanel } from "./panels/teach.js";
import { ToolbarPanel } from "./panels/toolbar.js";
import { TunePanel } from "./panels/tune.js";
import { VariantsPanel } from "./panels/variants.js";
import { PromptLens } from "./pkg/index.js";
import { sha256Of } from "./pkg/source/sha256.js";
import { Session } from "./session.js";
import { Features } from "./state/features.js";
import { KeptWork } from "./state/kept.js";
import { PhotoMemory } from "./state/memory.js";
import { preferred, setLanguage } from "./ui/i18n.js";
import { showLanguages } from "./ui/language.js";
import { modelAt } from "./ui/modellist.js";
import { keepOffline } from "./ui/offline.js";
import { readLink, saysStart, startsFrom } from "./ui/permalink.js";
import { openPhotoStore } from "./ui/photo_store.js";
import { modelLabels, readSettings } from "./ui/settings.js";
import { browserStores } from "./ui/store.js";

const { search } = location;
const settings = readSettings(search);
const element = (id) => document.getElementById(id);
const section = (name) => document.querySelector(`section.${name}`);

const memory = new PhotoMemory({ open: openPhotoStore, sha256: sha256Of });
const session = new Session({
  load: ({ model, ...options }) => PromptLens.load({ model: modelAt(model), ...options }),
  settings,
  // The build decides which hub is asked for models.
  hub: document.querySelector("meta[name=promptlens-hub]").content || undefined,
  memory,
});

const [visit] = performance.getEntriesByType("navigation");
const kept = new KeptWork(session, browserStores(), { linked: saysStart(search), reloaded: visit?.type === "reload" });
addEventListener("storage", (event) => kept.follow(event));
const { record } = kept;
const link = startsFrom(record, readLink(search));
session.rejection.restore(record);
session.negatives.own = record.negatives.own;
session.otherTemplates = record.otherTemplates;
session.honesty.restore(record.temperature);

showLanguages(element("language"));
await setLanguage(preferred(search), { remember: false });

new StatusPanel(element("status"), session);
const models = new ModelsPanel(element("models"), session);
const earlier = new EarlierPanel(element("earlier"), session, models);
const names = new NamesPanel(section("names"), session, link, () => void models.offerBigger());
const gallery = new GalleryPanel(section("results"), session, link, element("details"), (photo) => pile.alike(photo));
new PhotosPanel(section("photos"), session, (file) => share.open(file));
new CameraPanel(element("camera-dialog"), session, element("camera"));
const pile = new PilePanel(element("pile"), session, { features: new Features(session, memory), memory, open: (photo) => gallery.open(photo) });
new ToolbarPanel(element("toolbar"), session);
new PermalinkPanel(element("permalink"), session);
new TunePanel(element("tune"), session, link);
new VariantsPanel(element("variants"), session, link);
const reject = new RejectPanel(element("reject"), session, link, { cards: element("cards"), open: (photo) => gallery.open(photo) });
new HonestPanel(element("honest"), session, element("honest-dropped"));
new NegativesPanel(element("negatives"), session, link);
const teach = new TeachPanel(element("teach"), session, {
  chooseScore: () => reject.choose("lapt"),
  offerModel: (...offer) => earlier.offer(...offer),
  kept,
  open: () => places.go("teach"),
});
let started;
const begun = new Promise((resolve) => (started = resolve));
const share = new SharePanel(element("shared"), session, { teach, kept, begun });
const keptPanel = new KeptPanel(element("kept"), session, { kept, memory }, teach, (sha256) => earlier.offer(sha256, "prompt"));

element("to-names").addEventListener("click", () => names.focus());
const places = new PlacesPanel(element("places"), session, (place) => reject.show(place === "check"));

void memory.look();
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
started();
await session.prepare();
