// What is there for sure at the end of a recording, whatever chance decides.
import { DiskModel, imageOf } from "./disk-model.js";
import type { Image, Recording } from "./recording.js";
import { Sectors } from "./sectors.js";

export function durableImage({ image, steps }: Recording): Image {
  const sectors = new Sectors();
  const model = new DiskModel(sectors, image, 0);
  for (const step of steps) model.take(step);
  const places = model.places();
  return imageOf(
    model.state(
      places,
      places.map(() => 0),
    ),
    sectors,
  );
}
