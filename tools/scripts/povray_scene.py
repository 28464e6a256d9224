"""Turns a prompt into the text of a POV-Ray scene.

Same prompt and seed, same text. Only table values, numbers and the shapes file get into it: of a word that no
table knows nothing is copied, it only stirs the random numbers, so that every prompt gives a picture of its own.
"""
import dataclasses
import hashlib
import pathlib
import random
import re

import povray_words as words

SHAPES_FILE = pathlib.Path(__file__).with_name("povray_shapes.inc")
ITEMS_MAX = 14  # things in one picture

# time of day -> sky from horizon to zenith, sun colour, sun strength, fill strength, sun height in degrees, windows lit
SKIES = {
    "day": ("<0.80,0.88,0.95>", "<0.45,0.66,0.92>", "<0.18,0.40,0.78>", "<1,0.96,0.88>", 1.15, 0.42, 42, 0),
    "dawn": ("<1,0.84,0.72>", "<0.86,0.72,0.82>", "<0.42,0.56,0.84>", "<1,0.86,0.72>", 1.0, 0.42, 22, 0.3),
    "sunset": ("<1,0.70,0.38>", "<0.84,0.50,0.50>", "<0.26,0.28,0.56>", "<1,0.84,0.64>", 1.1, 0.5, 20, 0.6),
    "dusk": ("<0.86,0.58,0.52>", "<0.40,0.36,0.60>", "<0.10,0.13,0.34>", "<0.95,0.84,0.90>", 0.8, 0.55, 26, 1),
    "night": ("<0.16,0.22,0.40>", "<0.06,0.09,0.22>", "<0.01,0.02,0.08>", "<0.74,0.82,1>", 0.85, 0.5, 38, 1),
    "storm": ("<0.66,0.68,0.70>", "<0.40,0.43,0.48>", "<0.22,0.25,0.31>", "<0.90,0.93,1>", 0.65, 0.50, 50, 0.6),
    "space": ("<0.02,0.02,0.05>", "<0.01,0.01,0.03>", "<0.01,0.01,0.02>", "<1,0.98,0.94>", 1.3, 0.10, 30, 0.5),
}
GROUNDS = {
    "grass": "pigment { bozo turbulence 0.6 color_map { [0 srgb <0.24,0.44,0.14>] [0.6 srgb <0.40,0.58,0.20>] [1 srgb <0.52,0.62,0.26>] } scale 1.6 } normal { granite 0.5 scale 0.25 } finish { diffuse 0.8 }",
    "sand": "pigment { bozo color_map { [0 srgb <0.84,0.68,0.44>] [1 srgb <0.93,0.80,0.58>] } scale 3 } normal { ripples 0.35 scale 0.5 turbulence 0.5 translate <40,0,-30> } finish { diffuse 0.8 }",
    "snow": "pigment { bozo color_map { [0 srgb <0.88,0.91,0.96>] [1 srgb 0.97] } scale 2 } normal { bumps 0.25 scale 1.2 } finish { diffuse 0.85 }",
    "water": "pigment { color srgb <0.04,0.18,0.28> } normal { bumps 0.22 scale <0.9,0.5,0.35> } finish { diffuse 0.4 specular 0.7 roughness 0.01 reflection { 0.10, 0.85 fresnel } conserve_energy }",
    "ice": "pigment { bozo turbulence 1 color_map { [0 srgb <0.70,0.86,0.94>] [1 srgb <0.88,0.95,0.98>] } } normal { granite 0.08 } finish { diffuse 0.6 specular 0.7 reflection 0.25 }",
    "lava": "pigment { crackle turbulence 0.3 color_map { [0 srgb <1,0.75,0.15>] [0.08 srgb <0.95,0.25,0.03>] [0.2 srgb <0.10,0.07,0.06>] [1 srgb <0.18,0.14,0.13>] } } finish { diffuse 0.6 emission 0.5 }",
    "mars": "pigment { bozo turbulence 0.6 color_map { [0 srgb <0.60,0.28,0.16>] [1 srgb <0.78,0.42,0.25>] } scale 1.5 } normal { wrinkles 0.7 scale 0.6 } finish { diffuse 0.8 }",
    "checker": "pigment { checker srgb <0.93,0.92,0.88>, srgb <0.16,0.18,0.22> scale 1.1 rotate y*28 } finish { diffuse 0.7 specular 0.3 reflection 0.14 }",
    "mirror": "pigment { color srgb <0.55,0.58,0.62> } finish { diffuse 0.25 reflection 0.6 }",
    "parquet": "pigment { wood turbulence 0.06 color_map { [0 srgb <0.62,0.40,0.22>] [0.8 srgb <0.50,0.30,0.16>] [1 srgb <0.38,0.22,0.12>] } scale <0.35,0.35,1> rotate <2,34,0> } finish { diffuse 0.7 specular 0.3 reflection 0.08 }",
    "street": "pigment { granite color_map { [0 srgb 0.26] [1 srgb 0.40] } scale 2 } finish { diffuse 0.7 specular 0.2 reflection { 0.02, 0.3 fresnel } conserve_energy }",
    "tiles": "pigment { marble turbulence 0.9 color_map { [0 srgb <0.94,0.93,0.91>] [0.8 srgb <0.82,0.82,0.84>] [1 srgb <0.60,0.62,0.66>] } scale 1.3 } finish { diffuse 0.75 specular 0.3 reflection 0.10 }",
}


@dataclasses.dataclass
class Thing:
    noun: str
    colour: tuple = None
    material: str = None
    size: float = 1.0
    count: int = 1
    on_previous: bool = False


@dataclasses.dataclass
class Plan:
    things: list
    setting: dict
    extras: set


def lookup(word, table):
    """The word itself, its synonym or its singular if the table has it, else None."""
    for form in (word, words.SYNONYMS.get(word), word[:-2] if word.endswith("es") else None,
                 word[:-1] if word.endswith("s") else None):
        if form in table:
            return form
        if words.SYNONYMS.get(form) in table:
            return words.SYNONYMS[form]
    return None


def read_plan(prompt):
    """Adjectives belong to the next noun, "of glass" to the noun before; words for the setting count anywhere."""
    plan, waiting, previous = Plan([], {}, set()), Thing(""), ""
    tokens = re.findall(r"[a-z0-9]+", prompt.lower())
    for at, word in enumerate(tokens):
        last = plan.things[-1] if plan.things else None
        material, colour = lookup(word, words.MATERIALS), lookup(word, words.COLOURS)
        if last and lookup(tokens[at - 1], words.SHAPES) and lookup(word, words.SHAPES) in ("tree", lookup(tokens[at - 1], words.SHAPES)):
            last.count = max(last.count, 4 if word.endswith("s") and last.count == 1 else 1)  # "palm trees" are palms
        elif material and last and previous in words.MADE_OF and not noun_follows(tokens[at + 1:at + 3]):
            last.material, bound = words.MATERIALS[material]
            last.colour = last.colour or words.COLOURS.get(bound)
        elif material and material not in words.SHAPES and (material not in words.SETTINGS or noun_follows(tokens[at + 1:at + 2])):
            waiting.material, bound = words.MATERIALS[material]
            waiting.colour = words.COLOURS[bound] if bound else waiting.colour
        elif colour:
            waiting.colour = words.COLOURS[colour]
        elif word in words.MIXED_COLOURS:
            waiting.colour = "mixed"
        elif word in words.SIZES:
            waiting.size = words.SIZES[word]
        elif word in words.COUNTS:
            waiting.count = max(waiting.count, words.COUNTS[word])
        elif lookup(word, words.SETTINGS):
            part, value = words.SETTINGS[lookup(word, words.SETTINGS)]
            plan.extras.add(value) if part == "extra" else plan.setting.setdefault(part, value)
            if lookup(word, words.SETTINGS) in ("desert", "beach", "jungle", "snow", "volcano"):
                plan.extras.add(lookup(word, words.SETTINGS))
            waiting = Thing("")
        elif lookup(word, words.SHAPES):
            waiting.noun = lookup(word, words.SHAPES)
            plural = word.endswith("s") and word not in words.SHAPES or word == "village"
            waiting.count = max(waiting.count, 4 if plural and waiting.count == 1 else 1)
            if last and {"on", "atop"} & set(tokens[max(0, at - 6):at]) and waiting.noun in words.FLAT and last.count == 1:
                plan.things.insert(len(plan.things) - 1, waiting)  # "a ball on a cube": the lower one first
                last.on_previous = True
            else:
                plan.things.append(waiting)
            waiting = Thing("")
        previous = word if word not in ("a", "an", "the", "solid", "pure", "made") else previous
    return plan


def noun_follows(tokens):
    return any(lookup(t, words.SHAPES) for t in tokens)


def vec(*values):
    return "<" + ",".join(f"{v:.4f}" for v in values) + ">"


def material_text(kind, colour):
    c = "srgb " + vec(*colour)
    dark = "srgb " + vec(*(v * 0.55 for v in colour))
    light = "srgb " + vec(*(min(1, v * 0.7 + 0.3) for v in colour))
    textures = {
        "matte": f"pigment {{ color {c} }} normal {{ granite 0.08 scale 0.3 }} finish {{ diffuse 0.8 specular 0.08 }}",
        "snow": f"pigment {{ color {c} }} normal {{ granite 0.2 scale 0.2 }} finish {{ diffuse 0.88 specular 0.1 }}",
        "leaf": f"pigment {{ bozo color_map {{ [0 {dark}] [1 {c}] }} scale 0.18 }} normal {{ granite 0.8 scale 0.35 }} finish {{ diffuse 0.85 }}",
        "glossy": f"pigment {{ color {c} }} finish {{ diffuse 0.75 specular 0.7 roughness 0.008 reflection {{ 0.02, 0.25 fresnel }} conserve_energy }}",
        "metal": f"pigment {{ color {c} }} finish {{ diffuse 0.5 specular 0.8 roughness 0.015 metallic brilliance 2 reflection {{ 0.5 metallic }} }}",
        "gold": f"pigment {{ color {c} }} finish {{ diffuse 0.4 specular 0.9 roughness 0.015 metallic brilliance 3 reflection {{ 0.5 metallic }} }}",
        "wood": f"pigment {{ wood turbulence 0.08 color_map {{ [0 {light}] [0.7 {c}] [1 {dark}] }} scale 0.22 rotate <88,4,0> }} finish {{ diffuse 0.8 specular 0.25 }}",
        "stone": f"pigment {{ granite color_map {{ [0 {dark}] [0.5 {c}] [1 {light}] }} scale 1.4 }} normal {{ granite 0.35 scale 0.5 }} finish {{ diffuse 0.85 }}",
        "brick": f"pigment {{ brick srgb 0.8, {c} brick_size <0.32,0.13,0.2> mortar 0.02 }} finish {{ diffuse 0.8 }}",
        "marble": f"pigment {{ marble turbulence 1.1 color_map {{ [0 {light}] [0.75 {light}] [1 {dark}] }} scale 0.7 rotate <20,30,40> }} finish {{ diffuse 0.8 specular 0.5 reflection 0.06 }}",
        "bands": f"pigment {{ gradient y turbulence 0.12 color_map {{ [0 {c}] [0.3 {light}] [0.55 {dark}] [0.8 {light}] [1 {c}] }} scale 0.5 }} finish {{ diffuse 0.85 specular 0.1 }}",
        "neon": f"pigment {{ color {light} }} finish {{ diffuse 0.3 emission 0.75 }}",
        "glass": f"pigment {{ color srgbft {vec(*(min(1, v * 0.6 + 0.4) for v in colour))[:-1]},0.8,0.12> }} finish {{ diffuse 0.08 specular 0.9 roughness 0.004 reflection {{ 0.05, 0.9 fresnel }} conserve_energy }}",
    }
    interior = f" interior {{ ior 1.45 fade_distance 4 fade_power 1 fade_color {c} }}" if kind == "glass" else ""
    return f"material {{ texture {{ {textures[kind]} }}{interior} }}"


def complete(plan, rng):
    """Gives a prompt that names little (or nothing known) a theme chosen by its hash."""
    s, extras = plan.setting, plan.extras
    if not plan.things and not s.get("back") and not s.get("disc") and not extras:
        for _ in range(rng.randint(3, 5)):
            plan.things.append(Thing(rng.choice(sorted(words.BARE - {"table", "chair"}) + ["rock", "pyramid"]), size=rng.uniform(0.6, 1.2),
                                     material=rng.choice(["glossy", "glass", "metal", "marble", "wood", "bands", "matte"])))
    nouns = {t.noun for t in plan.things}
    if {"snowfall", "snow"} & extras or {"snowman", "igloo"} & nouns:
        s.setdefault("ground", "snow")
    if s.get("disc") == "moon" or "star" in nouns and len(nouns) == 1 and s.get("ground"):
        s.setdefault("time", "night")
    if {"planet", "saucer"} & nouns and not s.get("ground") and not s.get("back"):
        s.setdefault("time", "space")
    if "rain" in extras:
        s.setdefault("time", "storm")
    if {"boat", "lighthouse", "bridge"} & nouns:
        s.setdefault("ground", "water")
    if s.get("back") == "city":
        s.setdefault("ground", "street")
    if nouns & words.LARGE:
        for thing in plan.things:
            thing.size *= 0.5 if thing.noun in words.SMALL else 1.0
    studio = bool(nouns) and nouns <= words.BARE and not s.get("back") and not extras
    s.setdefault("time", rng.choice(["day", "day", "day", "dawn", "sunset"]) if not studio else "day")
    if s["time"] == "space":
        s.setdefault("ground", "none")
    s.setdefault("ground", rng.choice(["checker", "parquet", "tiles"]) if studio else "sand" if nouns & {"pyramid", "cactus", "palm"} else "grass")
    if "desert" in extras and not nouns:
        plan.things += [Thing("cactus", count=3), Thing("rock", size=0.7)]
    if "beach" in extras and not nouns:
        plan.things += [Thing("palm", count=2), Thing("rock", size=0.5)]
    if not s.get("back") and not studio and s["ground"] not in ("water", "none", "checker", "parquet", "mirror"):
        s["back"] = rng.choice(["hills", "hills", "mountains"]) if s["ground"] in ("grass", "snow") else rng.choice(["dunes", "dunes", "mountains"])
    s["studio"] = studio and s["time"] == "day"


def sky_text(s, extras, rng, azimuth):
    low, mid, high, sun, strength, fill, height, glow = SKIES[s["time"]]
    if s["studio"]:  # a soft, coloured backdrop instead of a sky
        tint = words.COLOURS[rng.choice(words.HASHED_COLOURS)]
        low, mid, high = (vec(*(a + (b - a) * k for a, b in zip((0.93, 0.93, 0.94), tint))) for k in (0.32, 0.55, 0.75))
        strength, fill = 1.1, 0.36
    text = [f"#declare Glow = {glow};", "sky_sphere {",
            f"  pigment {{ gradient y color_map {{ [0 srgb {low}] [0.10 srgb {low}] [0.34 srgb {mid}] [0.9 srgb {high}] }} scale 1.02 translate y*-0.02 }}"]
    if s["time"] in ("night", "space", "dusk"):
        text.append("  pigment { granite scale 0.06 translate %s color_map { [0 srgb <1,0.97,0.9>] [0.10 srgb <0.8,0.88,1>*0.8] [0.16 srgbt <0,0,0,1>] [1 srgbt <0,0,0,1>] } }"
                    % vec(rng.random() * 9, 1, rng.random() * 9))
    if s["time"] == "space":
        a, b = rng.sample(words.HASHED_COLOURS, 2)
        text.append("  pigment { wrinkles turbulence 0.7 scale 0.7 translate %s color_map { [0 srgbt <0,0,0,1>] [0.5 srgbt <0,0,0,1>] [0.75 srgbt %s] [1 srgbt %s] } }"
                    % (vec(*(rng.random() * 9 for _ in range(3))), vec(*words.COLOURS[a], 0.7), vec(*words.COLOURS[b], 0.45)))
    elif not s["studio"] and s["time"] != "night":
        cover = 0.28 if s["time"] == "storm" else rng.uniform(0.48, 0.6)
        cloud = {"storm": "<0.52,0.54,0.58", "sunset": "<1,0.72,0.58", "dusk": "<0.70,0.48,0.62"}.get(s["time"], "<1,1,1")
        text.append("  pigment { bozo turbulence 0.75 octaves 6 lambda 2.2 scale <0.55,0.16,0.55> translate %s color_map { [0 srgbt %s,1>] [%.3f srgbt %s,1>] [%.3f srgbt %s,0.15>] [1 srgbt %s,0.1>] } }"
                    % (vec(*(rng.random() * 20 for _ in range(3))), cloud, cover, cloud, min(0.98, cover + 0.3), cloud, cloud))
    text.append("}")
    text.append(f"light_source {{ z*-400 color srgb {sun}*{strength} rotate x*{height} rotate y*{azimuth:.1f} area_light x*40 y*40 5 5 adaptive 1 circular orient }}")
    text.append(f"light_source {{ <-60,140,-160> color srgb ({mid}*0.5+{sun}*0.5)*{fill} shadowless }}")
    text.append(f"light_source {{ <90,30,-120> color srgb {low}*{fill * 0.5} shadowless }}")
    far = {"fog": 13}.get("fog" if "fog" in extras else "", 150)
    if s["ground"] != "none" and not s["studio"] and s["time"] != "space":
        text.append(f"fog {{ fog_type 2 distance {far} color srgb {low} fog_offset {0.4 if far < 20 else 3} fog_alt {2.2 if far < 20 else 5} turbulence 0.3 }}")
    if s["studio"]:
        text.append(f"fog {{ distance 80 color srgb {low} }}")
    if "rainbow" in extras:
        text.append("disc { 0, z, 1, 0.8 texture { pigment { spherical color_map { "
                    "[0 srgbt <1,0.1,0.1,1>] [0.03 srgbt <1,0.2,0.1,0.35>] [0.07 srgbt <1,0.9,0.2,0.35>] [0.10 srgbt <0.2,0.9,0.3,0.4>] "
                    "[0.13 srgbt <0.2,0.5,1,0.4>] [0.17 srgbt <0.5,0.2,1,0.45>] [0.2 srgbt <0.6,0.2,1,1>] } } finish { diffuse 0 emission 0.9 } } "
                    "scale 15 translate <%.2f,-1.5,24> no_shadow }" % rng.uniform(-4, 4))
    return text


def surroundings_text(s, extras, rng):
    text, dim = [], SKIES[s["time"]][7] > 0.9
    if s["ground"] != "none":
        text.append(f"plane {{ y, 0 texture {{ {GROUNDS[s['ground']]} }} }}")
    if s.get("disc") or s["time"] in ("sunset", "night", "dusk") and rng.random() < 0.75:
        moon = s.get("disc") == "moon" or s.get("disc") is None and s["time"] != "sunset"
        x, y = rng.choice((-1, 1)) * rng.uniform(16, 34), rng.uniform(30, 40) if moon else rng.uniform(12, 18) if s["time"] == "sunset" else rng.uniform(26, 36)
        look = ("pigment { bozo turbulence 0.5 color_map { [0 srgb <0.98,0.96,0.88>] [0.6 srgb <0.93,0.91,0.84>] [1 srgb <0.62,0.62,0.62>] } scale 0.35 } finish { diffuse 0 emission 0.95 }"
                if moon else "pigment { color srgb <1,0.93,0.66> } finish { diffuse 0 emission 1.25 }")
        text.append(f"sphere {{ 0, 1 texture {{ {look} }} hollow scale {rng.uniform(6, 8.5):.2f} translate {vec(x, y, 110)} no_shadow no_image off }}")
        glow = "<1,0.95,0.85" if moon else "<1,0.75,0.35"
        text.append(f"disc {{ 0, z, 1 texture {{ pigment {{ spherical color_map {{ [0 srgbt {glow},1>] [1 srgbt {glow},0.45>] }} }} finish {{ diffuse 0 emission 0.7 }} }} scale 22 translate {vec(x, y, 120)} no_shadow }}")
    back = s.get("back")
    if back == "mountains":
        line = 0.43 if s["ground"] == "snow" else 0.54  # where the snow begins
        snow = "0.95" if s["time"] != "space" else "0.7"
        rock = "<0.42,0.24,0.18>" if s["ground"] in ("mars", "lava") else "<0.36,0.36,0.42>"
        text.append("object { Massif(material { texture { pigment { gradient y turbulence 0.1 color_map { [0.34 srgb <0.24,0.32,0.20>] [0.40 srgb %s] [%.2f srgb %s] [%.2f srgb %s] [1 srgb %s] } scale 60 translate y*-20 } normal { granite 0.6 scale 3 } finish { diffuse 0.85 } } }) }"
                    % (rock, line, rock, line + 0.05, snow, snow))
    elif back in ("hills", "dunes"):
        colour = {"snow": "<0.86,0.9,0.95>", "grass": "<0.36,0.54,0.28>", "mars": "<0.66,0.34,0.2>", "lava": "<0.2,0.16,0.15>"}.get(s["ground"], "<0.88,0.74,0.5>")
        text.append(f"object {{ Hills(srgb {colour}) }}")
    elif back == "city":
        text.append("object { Skyline() }")
    elif back == "forest":
        conifer = int(s["ground"] == "snow" or "jungle" not in extras and rng.random() < 0.5)
        leaf = material_text("leaf", words.COLOURS["pine green"] if conifer else (0.30, 0.52, 0.18))
        text.append(f"#declare M_Leaf = {leaf}\nobject {{ Woods(M_Leaf, {conifer}) }}")
    if "meadow" in extras:
        text.append("object { Meadow() }")
    if "snowfall" in extras:
        text.append("object { Falling(260, 0) }")
    if "rain" in extras:
        text.append("object { Falling(420, 1) }")
    return [line.replace(" no_image off", "") for line in text]


def things_text(plan, rng):
    """Places the things side by side, the biggest in the middle, and answers the text and the height and width used."""
    groups = []  # (thing, items of one place: a stack of things)
    for thing in plan.things:
        if thing.on_previous and groups:
            groups[-1].append(thing)
        else:
            groups.extend([thing] for _ in range(min(thing.count, words.COUNT_MAX)))
    groups = groups[:ITEMS_MAX]
    groups.sort(key=lambda g: -words.SHAPES[g[0].noun][1] * g[0].size)
    order = [g for i, g in enumerate(groups) if i % 2][::-1] + groups[::2]
    rows = 1 if len(order) <= 4 else 2
    text, tall, wide = [], 0.0, 1.0
    grounded = [g for g in order if g[0].noun not in words.ALOFT]
    lift = max((words.SHAPES[g[0].noun][1] * g[0].size for g in grounded), default=0.0)
    for row in range(rows):
        members = order[row::rows]
        span = sum(words.SHAPES[g[0].noun][2] * g[0].size * 2 + 0.25 for g in members)
        x = -span / 2 + (0.5 if row else 0)
        wide = max(wide, span / 2 - row * 0.6)
        for stack in members:
            half = words.SHAPES[stack[0].noun][2] * stack[0].size
            x += half + 0.125
            place = [x, lift * (stack[0].noun in words.ALOFT), row * 3.0 + rng.uniform(-0.5, 0.5) * (len(members) > 1)]
            for level, thing in enumerate(stack):
                text.append(one_thing(thing, place, 0.65 if level else 1.0, len(text), rng))
                place[1] += words.SHAPES[thing.noun][1] * thing.size * (0.65 if level else 1.0)
            tall = max(tall, place[1])
            x += half + 0.125
    return text, tall, wide


def one_thing(thing, place, shrink, index, rng):
    macro, _, _, default_colour, default_material = words.SHAPES[thing.noun]
    mixed = thing.colour == "mixed" or thing.colour is None and thing.count > 1 and thing.noun in words.VARIED
    colour = None if mixed else thing.colour or words.COLOURS.get(default_colour)
    colour = colour or words.COLOURS[words.HASHED_COLOURS[(index * 5 + rng.randrange(3)) % len(words.HASHED_COLOURS)] if mixed
                                     else rng.choice(words.HASHED_COLOURS)]
    colour = tuple(min(1.0, max(0.0, v * rng.uniform(0.92, 1.06))) for v in colour)
    size = thing.size * shrink * rng.uniform(0.94, 1.06)
    x, y, z = place
    y += words.FLYING.get(thing.noun, 0.0) * (shrink == 1.0)
    return (f"#declare M_{index} = {material_text(thing.material or default_material, colour)}\n"
            f"object {{ {macro}(M_{index}) rotate y*{rng.uniform(-14, 14):.2f} scale {size:.4f} translate {vec(x, y, z)} }}")


def scene_text(prompt, seed=0):
    """The whole scene. prompt: any text; seed: any integer. Never fails on text."""
    digest = hashlib.sha256(f"{seed}\n{' '.join(prompt.split())}".encode("utf-8", "surrogatepass")).digest()
    rng = random.Random(int.from_bytes(digest, "big"))
    plan = read_plan(prompt)
    complete(plan, rng)
    s = plan.setting
    sky = sky_text(s, plan.extras, rng, rng.choice((-1, 1)) * rng.uniform(25, 55))
    things, tall, wide = things_text(plan, rng)
    around = surroundings_text(s, plan.extras, rng)
    tall, wide = max(tall, 2.0), max(wide, 1.6)
    distance = max(wide / 0.50, tall / 0.42) * 0.95 + 2.2
    eye = rng.uniform(0.32, 0.5) * tall + (1.0 if s["studio"] else 0.35)
    swing = rng.uniform(-16, 16)
    camera = (f"camera {{ location {vec(0, eye, -distance)} direction z*1.55 right x*image_width/image_height "
              f"look_at {vec(0, tall * (0.44 if s['studio'] else 0.58), 0)} rotate y*{swing:.2f} }}")
    head = ["#version 3.7;", "global_settings { assumed_gamma 1.0 max_trace_level 8 }", "#default { finish { ambient 0.04 } }",
            f"#declare R = seed({rng.randrange(1, 2**30)});"]
    return "\n".join(head + sky + [SHAPES_FILE.read_text(encoding="ascii"), camera] + around + things) + "\n"
