"""The vocabulary of render-povray: which words of a prompt mean what. Only values of these tables reach a scene."""

# noun -> (macro in povray_shapes.inc, height, half width, default colour, default material)
SHAPES = {
    "sphere": ("Ball", 2.0, 1.0, None, "glossy"),
    "egg": ("Egg", 2.2, 0.9, "ivory", "glossy"),
    "cube": ("Cube", 1.7, 1.1, None, "glossy"),
    "cone": ("Cone", 2.2, 1.0, None, "glossy"),
    "column": ("Column", 2.4, 0.7, None, "marble"),
    "ring": ("Ring", 2.1, 1.0, "yellow", "gold"),
    "pyramid": ("Pyramid", 1.9, 1.6, "sand", "stone"),
    "gem": ("Gem", 1.9, 1.0, None, "glass"),
    "star": ("Star", 2.2, 1.1, "yellow", "gold"),
    "heart": ("Heart", 2.0, 1.0, "red", "glossy"),
    "spiral": ("Spiral", 2.3, 1.0, None, "glossy"),
    "tower": ("Tower", 2.9, 0.8, "grey", "stone"),
    "castle": ("Castle", 3.1, 1.8, "sand", "stone"),
    "house": ("House", 2.3, 1.2, "ivory", "matte"),
    "lighthouse": ("Lighthouse", 2.9, 0.9, "red", "matte"),
    "windmill": ("Windmill", 3.0, 1.2, "ivory", "matte"),
    "temple": ("Temple", 2.1, 1.6, None, "marble"),
    "bridge": ("Bridge", 1.2, 2.5, "grey", "stone"),
    "igloo": ("Igloo", 1.1, 1.2, "white", "snow"),
    "tent": ("Tent", 1.5, 1.2, "orange", "matte"),
    "tree": ("Tree", 2.4, 1.0, "green", "leaf"),
    "pine": ("Pine", 2.7, 0.8, "pine green", "leaf"),
    "palm": ("Palm", 2.5, 1.2, "green", "matte"),
    "cactus": ("Cactus", 2.1, 0.8, "pine green", "matte"),
    "flower": ("Flower", 2.2, 0.8, "pink", "matte"),
    "mushroom": ("Mushroom", 1.9, 1.0, "red", "glossy"),
    "rock": ("Rock", 1.0, 1.1, "grey", "stone"),
    "apple": ("Apple", 1.8, 1.0, "red", "glossy"),
    "snowman": ("Snowman", 2.8, 1.1, "white", "snow"),
    "robot": ("Robot", 2.7, 0.9, "silver", "metal"),
    "cat": ("Cat", 2.1, 0.9, "orange", "matte"),
    "fish": ("Fish", 1.8, 1.4, "orange", "glossy"),
    "bird": ("Bird", 1.6, 1.2, "blue", "matte"),
    "ghost": ("Ghost", 2.1, 0.9, "white", "matte"),
    "boat": ("Boat", 2.7, 1.4, "red", "matte"),
    "rocket": ("Rocket", 3.3, 0.9, "white", "glossy"),
    "car": ("Car", 1.2, 1.4, "red", "glossy"),
    "balloon": ("Balloon", 3.5, 1.0, "red", "glossy"),
    "teapot": ("Teapot", 1.7, 1.4, "blue", "glossy"),
    "cup": ("Cup", 1.4, 1.1, "white", "glossy"),
    "candle": ("Candle", 2.1, 0.6, "ivory", "matte"),
    "book": ("Book", 1.0, 1.2, None, "matte"),
    "chair": ("Chair", 2.1, 0.9, "brown", "wood"),
    "table": ("Table", 1.1, 1.3, "brown", "wood"),
    "saucer": ("Saucer", 2.7, 1.4, "silver", "metal"),
    "planet": ("Planet", 2.6, 1.7, "orange", "bands"),
}
BARE = {"sphere", "egg", "cube", "cone", "column", "ring", "gem", "star", "heart", "spiral", "apple",
        "teapot", "cup", "candle", "book", "chair", "table"}  # at home in a studio rather than in a meadow
FLYING = {"planet": 0.5, "balloon": 0.9, "saucer": 0.0, "rocket": 0.5, "ghost": 0.2, "fish": 0.2}
ALOFT = {"planet", "balloon", "saucer"}  # these fly above what stands on the ground
SMALL = {"flower", "mushroom", "apple", "cup", "teapot", "candle", "book", "cat", "bird", "fish", "heart", "gem", "egg", "chair", "table", "rock"}
LARGE = {"castle", "house", "tower", "lighthouse", "windmill", "temple", "bridge", "tree", "pine", "palm", "boat"}  # beside which SMALL is small
VARIED = {"balloon", "flower", "fish", "tent", "boat", "car", "book", "bird", "sphere", "cube", "gem", "egg", "cone", "heart"}  # of many, each its own colour
FLAT = {"cube", "column", "table", "book", "tower", "pyramid", "rock"}  # another thing may stand on these

# words for the setting: word -> (part, value)
SETTINGS = {
    "day": ("time", "day"), "morning": ("time", "dawn"), "dawn": ("time", "dawn"), "sunrise": ("time", "dawn"),
    "sunset": ("time", "sunset"), "evening": ("time", "sunset"), "dusk": ("time", "dusk"),
    "twilight": ("time", "dusk"), "night": ("time", "night"), "midnight": ("time", "night"),
    "moonlight": ("time", "night"), "starry": ("time", "night"), "dark": ("time", "night"),
    "moonlit": ("time", "night"), "storm": ("time", "storm"), "stormy": ("time", "storm"), "cloudy": ("time", "storm"),
    "space": ("time", "space"), "galaxy": ("time", "space"), "universe": ("time", "space"), "orbit": ("time", "space"),
    "sea": ("ground", "water"), "ocean": ("ground", "water"), "lake": ("ground", "water"), "river": ("ground", "water"),
    "water": ("ground", "water"), "harbour": ("ground", "water"), "waves": ("ground", "water"),
    "beach": ("ground", "sand"), "desert": ("ground", "sand"), "dune": ("ground", "sand"), "sahara": ("ground", "sand"),
    "meadow": ("extra", "meadow"), "garden": ("extra", "meadow"), "field": ("ground", "grass"), "grass": ("ground", "grass"),
    "hill": ("back", "hills"), "valley": ("back", "hills"), "snow": ("ground", "snow"), "snowy": ("ground", "snow"),
    "winter": ("extra", "snowfall"), "snowfall": ("extra", "snowfall"), "arctic": ("ground", "snow"),
    "rain": ("extra", "rain"), "rainy": ("extra", "rain"), "fog": ("extra", "fog"), "foggy": ("extra", "fog"),
    "mist": ("extra", "fog"), "misty": ("extra", "fog"), "haze": ("extra", "fog"), "rainbow": ("extra", "rainbow"),
    "mountain": ("back", "mountains"), "alps": ("back", "mountains"), "peak": ("back", "mountains"),
    "forest": ("back", "forest"), "woods": ("back", "forest"), "jungle": ("back", "forest"), "park": ("back", "forest"),
    "city": ("back", "city"), "skyline": ("back", "city"), "town": ("back", "city"), "skyscraper": ("back", "city"),
    "sun": ("disc", "sun"), "moon": ("disc", "moon"),
    "checker": ("ground", "checker"), "chessboard": ("ground", "checker"), "checkerboard": ("ground", "checker"),
    "checkered": ("ground", "checker"), "mirror": ("ground", "mirror"), "floor": ("ground", "parquet"),
    "ice": ("ground", "ice"), "lava": ("ground", "lava"), "volcano": ("back", "mountains"), "mars": ("ground", "mars"),
}

COLOURS = {  # sRGB
    "red": (0.84, 0.10, 0.10), "orange": (0.96, 0.50, 0.10), "yellow": (0.98, 0.82, 0.16), "green": (0.20, 0.58, 0.20),
    "lime": (0.58, 0.85, 0.20), "pine green": (0.13, 0.40, 0.24), "turquoise": (0.12, 0.72, 0.68), "cyan": (0.15, 0.80, 0.90),
    "blue": (0.14, 0.34, 0.84), "navy": (0.08, 0.13, 0.42), "purple": (0.48, 0.18, 0.68), "violet": (0.56, 0.34, 0.88),
    "magenta": (0.86, 0.14, 0.60), "pink": (0.96, 0.50, 0.66), "brown": (0.46, 0.29, 0.17), "black": (0.05, 0.05, 0.06),
    "grey": (0.58, 0.58, 0.60), "silver": (0.78, 0.80, 0.83), "white": (0.95, 0.95, 0.95), "ivory": (0.95, 0.90, 0.78),
    "sand": (0.84, 0.72, 0.52), "amber": (0.98, 0.66, 0.14), "ruby": (0.78, 0.06, 0.20), "emerald": (0.08, 0.62, 0.34),
    "sapphire": (0.10, 0.24, 0.76), "copper": (0.85, 0.50, 0.32), "gold": (0.96, 0.76, 0.30),
}
HASHED_COLOURS = ["red", "orange", "yellow", "lime", "turquoise", "cyan", "blue", "purple", "violet", "magenta", "pink", "emerald"]

# word -> (kind of material, colour it brings or None)
MATERIALS = {
    "glass": ("glass", None), "transparent": ("glass", None), "gold": ("gold", "gold"),
    "golden": ("gold", "gold"), "silver": ("metal", "silver"), "metal": ("metal", "silver"), "steel": ("metal", "silver"),
    "iron": ("metal", "grey"), "chrome": ("metal", "white"), "copper": ("metal", "copper"), "bronze": ("metal", "copper"),
    "metallic": ("metal", None), "wood": ("wood", "brown"), "wooden": ("wood", "brown"), "stone": ("stone", "grey"),
    "granite": ("stone", "grey"), "brick": ("brick", "red"), "marble": ("marble", "white"), "ice": ("glass", "cyan"),
    "icy": ("glass", "cyan"), "water": ("glass", "blue"), "neon": ("neon", None), "glowing": ("neon", None),
    "plastic": ("glossy", None), "porcelain": ("glossy", "white"), "striped": ("bands", None), "shiny": ("glossy", None),
}
MADE_OF = {"of", "from", "in"}  # "a tower of glass", "a sphere made from ice"

SIZES = {"tiny": 0.4, "small": 0.6, "little": 0.65, "big": 1.3, "large": 1.35, "huge": 1.6, "giant": 1.8, "tall": 1.4, "great": 1.4}
COUNTS = {"two": 2, "pair": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
          "several": 4, "few": 3, "many": 9, "dozen": 12, "hundred": 12, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9}
COUNT_MAX = 12
MIXED_COLOURS = {"colourful", "colorful", "coloured", "colored", "multicoloured", "motley"}

SYNONYMS = {  # spelling or near meaning -> a word of the tables above
    "ball": "sphere", "orb": "sphere", "globe": "sphere", "bubble": "sphere", "marbles": "sphere", "box": "cube",
    "block": "cube", "dice": "cube", "die": "cube", "pillar": "column", "torus": "ring", "donut": "ring", "doughnut": "ring",
    "diamond": "gem", "crystal": "gem", "jewel": "gem", "palace": "castle", "fortress": "castle", "fort": "castle", "cottage": "house",
    "home": "house", "hut": "house", "cabin": "house", "village": "house", "barn": "house", "church": "temple",
    "oak": "tree", "fir": "pine", "spruce": "pine", "cacti": "cactus", "rose": "flower", "tulip": "flower", "daisy": "flower",
    "sunflower": "flower", "blossom": "flower", "toadstool": "mushroom", "boulder": "rock", "android": "robot", "kitten": "cat",
    "goldfish": "fish", "parrot": "bird", "duck": "bird", "spirit": "ghost", "ship": "boat", "sailboat": "boat",
    "sailing": "boat", "yacht": "boat", "spaceship": "rocket", "spacecraft": "rocket", "automobile": "car", "taxi": "car",
    "mug": "cup", "books": "book", "ufo": "saucer", "world": "planet", "saturn": "planet", "jupiter": "planet", "earth": "planet",
    "gray": "grey", "scarlet": "red", "crimson": "red", "teal": "turquoise", "rosy": "pink", "cubes": "cube", "helix": "spiral",
    "leaves": "tree", "trees": "tree", "cities": "city", "mountains": "mountain", "snowmen": "snowman", "stars": "star",
    "lit": "glowing", "harbor": "harbour", "seas": "sea", "mills": "windmill", "mill": "windmill", "obelisk": "tower",
}
