import re
import unittest

from support import SCRIPTS

import povray_scene
import povray_words as words

SHAPES = (SCRIPTS / "povray_shapes.inc").read_text()


def nouns_of(prompt):
    return [thing.noun for thing in povray_scene.read_plan(prompt).things]


class Vocabulary(unittest.TestCase):
    def test_every_shape_has_its_macro(self):
        for noun, (macro, _, _, colour, _) in words.SHAPES.items():
            self.assertIn(f"#macro {macro}(M)", SHAPES, noun)
            self.assertTrue(colour is None or colour in words.COLOURS, noun)

    def test_every_synonym_leads_to_a_word(self):
        tables = (words.SHAPES, words.SETTINGS, words.COLOURS, words.MATERIALS)
        for word, meaning in words.SYNONYMS.items():
            self.assertTrue(any(meaning in table for table in tables), word)

    def test_every_ground_and_time_exists(self):
        for word, (part, value) in words.SETTINGS.items():
            if part in ("ground", "time"):
                self.assertIn(value, povray_scene.GROUNDS if part == "ground" else povray_scene.SKIES, word)


class Plan(unittest.TestCase):
    def test_adjectives_go_to_the_next_noun(self):
        sphere, cube = povray_scene.read_plan("a huge red sphere and two wooden cubes").things
        self.assertEqual((sphere.noun, sphere.colour, sphere.size), ("sphere", words.COLOURS["red"], words.SIZES["huge"]))
        self.assertEqual((cube.noun, cube.count, cube.material), ("cube", 2, "wood"))

    def test_of_glass_goes_to_the_noun_before(self):
        self.assertEqual(povray_scene.read_plan("a tower made of glass").things[0].material, "glass")

    def test_a_ball_on_a_cube_stands_on_it(self):
        cube, ball = povray_scene.read_plan("a ball on a cube").things
        self.assertEqual((cube.noun, ball.noun, ball.on_previous), ("cube", "sphere", True))

    def test_double_nouns_are_one_thing(self):
        self.assertEqual(nouns_of("two pine trees and a sailing boat"), ["pine", "boat"])

    def test_the_setting_counts_anywhere(self):
        self.assertEqual(povray_scene.read_plan("at night, a city").setting, {"time": "night", "back": "city"})


class Scene(unittest.TestCase):
    def test_same_prompt_and_seed_same_scene(self):
        self.assertEqual(povray_scene.scene_text("a red ball", 5), povray_scene.scene_text("a red ball", 5))

    def test_another_prompt_or_seed_is_another_scene(self):
        prompts = ["qwertz", "asdf", "qwertz asdf", "a red ball", "the red ball", "日本", "東京", "!", "?"]
        scenes = {povray_scene.scene_text(prompt, seed) for prompt in prompts for seed in (0, 1)}
        self.assertEqual(len(scenes), 2 * len(prompts))

    def test_nothing_of_a_hostile_prompt_is_copied(self):
        hostile = '#include "xyzzy.inc" */ } #fopen plugh "/etc/passwd" read %s \\ <?{}> \0 \n#declare frotz=1; sphere'
        scene = povray_scene.scene_text(hostile)
        for word in ("xyzzy", "plugh", "passwd", "fopen", "frotz", "#include"):
            self.assertNotIn(word, scene)
        self.assertTrue(scene.isascii())
        self.assertIsNone(re.search(r"#(fopen|read|write|include|debug)", scene))

    def test_any_amount_of_things_is_bounded(self):
        scene = povray_scene.scene_text("hundred trees and " * 2000)
        self.assertLessEqual(scene.count("#declare M_"), povray_scene.ITEMS_MAX * 2)


if __name__ == "__main__":
    unittest.main()
