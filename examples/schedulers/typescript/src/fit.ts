// Whether a group fits a worker, as crossfleet-matching says it in Python, and what is left of one.
import type { TaskGroup } from "./gen/crossfleet/api/scheduler/v1/scheduler_service_pb.js";
import { WorkerState, type Device, type Worker } from "./gen/crossfleet/api/types/v1/device_pb.js";
import { view, type Selector, type Selectors, type View } from "./selectors.js";

const BLOCKING = new Set(["lost", "unhealthy", "quarantined"]); // devices in such a condition get no work
const GATES = ["temperature", "clock", "load", "pressure", "gpu"] as const;
const PASSING = ["quarantined", "disk_full", "upgrading"]; // what ends by itself, and is no reason for NEVER

/** Devices that each slot gets. */
interface Demand {
  deviceClass: string;
  count: number;
  selector: Selector;
}

/** A group, what it holds and still wants. `slip`: why its selectors are not understood. */
export class Wish {
  held = 0;
  wanted: number;
  readonly on = new Map<string, number>(); // what it holds, by host
  readonly selector: Selector;
  readonly demands: Demand[];
  readonly slip: string | undefined;

  constructor(
    readonly row: TaskGroup,
    selectors: Selectors,
  ) {
    this.wanted = row.wantedSlots;
    this.selector = selectors.compile(row.selector);
    const asked = row.request?.devices ?? [];
    this.demands = asked.map(({ deviceClass, count, selector }) => ({
      deviceClass,
      count: Math.max(count, 1),
      selector: selectors.compile(selector),
    }));
    if (asked.length === 0 && this.selector.ofDevice) {
      this.demands.push({ deviceClass: "", count: 1, selector: selectors.compile("") });
    }
    this.slip = [this.selector, ...this.demands.map((one) => one.selector)].find((one) => one.slip)?.slip;
  }

  get gang(): boolean {
    return (this.row.request?.gang ?? 0) > 1;
  }
}

/** The machine that workers share: closed, where somebody has it for himself. */
export interface Site {
  used: boolean;
  closed: boolean;
}

/** A worker and what is left of it. Cores are counted in thousandths, since sums of floats drift. */
export class Host {
  readonly name: string;
  private readonly view: View;
  private readonly taken = new Set<string>();
  private slots: number;
  private millicores: number;
  private memory: number;
  private readonly site: Site;

  constructor(
    readonly row: Worker,
    sites: Map<string, Site>,
  ) {
    this.name = row.host || row.workerId;
    this.view = view(row);
    this.slots = row.slots;
    this.millicores = Math.round(row.cpuCores * 1000);
    this.memory = Number(row.memoryBytes);
    this.site = sites.get(this.name) ?? { used: false, closed: false };
    sites.set(this.name, this.site);
  }

  /** `wish` is undefined where the group has gone. */
  take(wish: Wish | undefined, slots: number, devices: string[]): void {
    this.slots -= slots;
    this.millicores -= slots * this.slotCores(wish);
    this.memory -= slots * Number(wish?.row.request?.memoryBytes ?? 0);
    for (const id of devices) this.taken.add(id);
    this.site.used = true;
    this.site.closed ||= wish?.row.request?.exclusive ?? false;
    if (wish) {
      wish.held += slots;
      wish.on.set(this.name, (wish.on.get(this.name) ?? 0) + slots);
    }
  }

  private slotCores(wish: Wish | undefined): number {
    const cores = wish?.row.request?.cpuCores ?? 0;
    if (cores > 0) return Math.round(cores * 1000);
    return Math.floor(Math.round(this.row.cpuCores * 1000) / Math.max(this.row.slots, 1));
  }

  /** How many slots cores and memory do for. */
  private room(wish: Wish, slots: number, millicores: number, memory: number): number {
    const cores = this.slotCores(wish);
    const bytes = Number(wish.row.request?.memoryBytes ?? 0);
    if (cores > 0) slots = Math.min(slots, Math.floor(millicores / cores));
    if (bytes > 0) slots = Math.min(slots, Math.floor(memory / bytes));
    return slots;
  }

  /** At most so many slots, with the devices of each; undefined where there are fewer than `least`. */
  place(wish: Wish, least: number, most: number): { slots: number; devices: string[] } | undefined {
    most = Math.min(this.room(wish, this.slots, this.millicores, this.memory), most);
    const alone = wish.row.request?.exclusive ?? false;
    const open = this.row.state === WorkerState.READY && !this.site.closed && !(this.site.used && alone);
    if (!open || most < least || wish.slip || wish.gang) return undefined;
    const able: Able[] = [];
    if (this.misfit(wish, new Set(wish.row.request?.tolerations), able)) return undefined;
    const devices = new Set<string>();
    let slots = able.length === 0 ? most : 0;
    for (let own; slots < most && (own = this.choose(able, devices)); slots++) own.forEach((id) => devices.add(id));
    return slots < least ? undefined : { slots, devices: [...devices] };
  }

  /** The devices of one slot beside those of others; undefined where some are missing. Processors serve every slot. */
  private choose(able: Able[], others: Set<string>): Set<string> | undefined {
    const own = new Set<string>();
    for (const { count, devices } of able) {
      const free = ({ deviceId }: Device) => ![this.taken, others, own].some((used) => used.has(deviceId));
      const chosen = devices.filter((device) => shared(device) || free(device)).slice(0, count);
      if (chosen.length < count) return undefined;
      chosen.forEach((device) => own.add(device.deviceId));
    }
    return own;
  }

  /** What keeps a group off this worker even when it is idle; undefined: nothing. */
  misfitIdle(wish: Wish): string | undefined {
    const misfit = this.misfit(wish, new Set([...PASSING, ...(wish.row.request?.tolerations ?? [])]), []);
    const whole = this.room(wish, this.row.slots, Math.round(this.row.cpuCores * 1000), Number(this.row.memoryBytes));
    return misfit ?? (whole < Math.max(wish.row.request?.slotsMin ?? 0, 1) ? "size" : undefined);
  }

  /** What keeps it off whatever is in use; `able` gets the devices that would do. */
  private misfit(wish: Wish, tolerated: Set<string>, able: Able[]): string | undefined {
    const { row } = this;
    if (wish.row.runner && !row.runners.includes(wish.row.runner)) return "runner";
    if (!wish.selector.ofDevice && !wish.selector.holds(this.view)) return "selector";
    const gates = wish.row.request?.gates;
    if (GATES.some((gate) => gates?.[gate] !== undefined && !row.gates.includes(gate))) return "gates";
    if (!tolerated.has("*") && row.taints.some((taint) => !tolerated.has(taint))) return "taint";
    for (const { deviceClass, count, selector } of wish.demands) {
      const devices = row.devices.filter((device, at) => {
        const seen = { ...this.view, device: this.view.devices[at] };
        const broken = device.conditions.some((condition) => BLOCKING.has(condition) && !tolerated.has(condition));
        const ofClass = !deviceClass || deviceClass === device.deviceClass;
        return ofClass && !broken && wish.selector.holds(seen) && selector.holds(seen);
      });
      if (devices.length < count) return "devices";
      devices.sort((a, b) => Number(shared(b)) - Number(shared(a))); // first what everybody shares
      able.push({ count, devices });
    }
    able.sort((a, b) => a.devices.length - b.devices.length);
    return undefined;
  }
}

/** So many of these devices for each slot. */
interface Able {
  count: number;
  devices: Device[];
}

function shared(device: Device): boolean {
  return device.deviceClass === "cpu";
}
