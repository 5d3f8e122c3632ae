"""The words of a page in the languages that a peer may ask for; English stands for itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from dicom_node.config import Language

Translations: TypeAlias = Mapping[Language, str]


def _in(ko: str, de: str) -> Translations:
    return {"ko": ko, "de": de}


_PAGE: Mapping[str, Translations] = {
    "AI, research use, not for diagnosis": _in("AI, 연구용, 진단용 아님", "KI, Forschung, nicht zur Diagnose"),
    "Findings": _in("소견", "Befunde"),
    "Nothing found": _in("발견된 것 없음", "Nichts gefunden"),
    "Not found": _in("발견되지 않음", "Nicht gefunden"),
    "Not analysed": _in("분석하지 않음", "Nicht analysiert"),
    "Not delivered": _in("전달하지 않음", "Nicht übermittelt"),
    "Remarks": _in("참고 사항", "Hinweise"),
    "The rest of the study: this page is about one series only.": _in(
        "검사의 나머지: 이 페이지는 한 시리즈만 다룹니다.",
        "Der Rest der Studie: Diese Seite betrifft nur eine Serie.",
    ),
    "{} of {} frames, as only a sample of the film is looked at.": _in(
        "{1}개 중 {0}개 프레임: 동영상은 일부 프레임만 추출하여 분석합니다.",
        "{} von {} Einzelbildern, da vom Film nur eine Auswahl betrachtet wird.",
    ),
    "Further images with findings, without a picture here: {}.": _in(
        "소견이 있으나 여기에 그림이 없는 영상: {}개.",
        "Weitere Bilder mit Befund, hier ohne Abbildung: {}.",
    ),
    "The images had been compressed with loss before they were analysed.": _in(
        "분석 전에 손실 압축된 영상입니다.",
        "Die Bilder waren vor der Analyse verlustbehaftet komprimiert.",
    ),
    "Left and right are in doubt: {}": _in("좌우가 불확실함: {}", "Links und rechts sind zweifelhaft: {}"),
    "This page replaces that of an earlier run.": _in(
        "이 페이지는 이전 실행의 페이지를 대체합니다.",
        "Diese Seite ersetzt die eines früheren Laufs.",
    ),
    "Patient": _in("환자", "Patient"),
    "Patient ID": _in("환자 ID", "Patienten-ID"),
    "Born": _in("생년월일", "Geboren"),
    "Study of": _in("검사일", "Studie vom"),
    "Series {}": _in("시리즈 {}", "Serie {}"),
    "{} images": _in("영상 {}개", "{} Bilder"),
    "1 image": _in("영상 1개", "1 Bild"),
    "Image {}": _in("영상 {}", "Bild {}"),
    "Frame {}": _in("프레임 {}", "Einzelbild {}"),
    "nothing outlined": _in("표시된 윤곽 없음", "nichts umrandet"),
    "Model {}, version {}": _in("모델 {}, 버전 {}", "Modell {}, Version {}"),
    "Weights {}": _in("가중치 {}", "Gewichte {}"),
    "Made on {}": _in("작성일 {}", "Erstellt am {}"),
    "Page {} of {}": _in("{1}쪽 중 {0}쪽", "Seite {} von {}"),
    "Finding": _in("소견", "Befund"),
    "Answer": _in("판정", "Antwort"),
    "Header": _in("헤더", "Header"),
    "Whole image": _in("전체 영상", "Gesamtes Bild"),
    "No measurement": _in("측정값 없음", "Keine Messung"),
}

_TITLES: Mapping[str, Translations] = {
    "Brain of T1 MR and MR angiography": _in("T1 MR 및 MR 혈관조영의 뇌", "Gehirn in T1-MR und MR-Angiographie"),
    "Contrast enhancement of CT": _in("CT 조영증강 여부", "Kontrastmittel im CT"),
    "Kidneys and kidney tumours of CT": _in("CT의 신장 및 신장 종양", "Nieren und Nierentumoren im CT"),
    "Liver of abdominal CT": _in("복부 CT의 간", "Leber im Abdomen-CT"),
    "L and R marks of a chest radiograph": _in("흉부 X선 영상의 L, R 표지", "L- und R-Marken im Thoraxröntgenbild"),
    "Lungs of a chest radiograph": _in("흉부 X선 영상의 폐", "Lungen im Thoraxröntgenbild"),
    "Polyps in colonoscopy": _in("대장내시경의 용종", "Polypen in der Koloskopie"),
    "Segmentation of black-blood MR": _in("블랙블러드 MR 분할", "Segmentierung in Black-Blood-MR"),
    "View of a chest radiograph": _in("흉부 X선 영상의 촬영 방향", "Aufnahmerichtung des Thoraxröntgenbilds"),
}

_FOUND: Mapping[str, Translations] = {
    "Burned-in laterality mark": _in("영상에 새겨진 좌우 표지", "Eingebrannte Seitenmarke"),
    "brain": _in("뇌", "Gehirn"),
    "kidney": _in("신장", "Niere"),
    "kidney tumour": _in("신장 종양", "Nierentumor"),
    "left kidney": _in("왼쪽 신장", "Linke Niere"),
    "left kidney tumour": _in("왼쪽 신장 종양", "Tumor der linken Niere"),
    "left lung": _in("왼쪽 폐", "Linke Lunge"),
    "liver": _in("간", "Leber"),
    "lungs": _in("폐", "Lungen"),
    "polyp": _in("용종", "Polyp"),
    "right kidney": _in("오른쪽 신장", "Rechte Niere"),
    "right kidney tumour": _in("오른쪽 신장 종양", "Tumor der rechten Niere"),
    "right lung": _in("오른쪽 폐", "Rechte Lunge"),
    "image-left lung": _in("영상 왼쪽의 폐", "Lunge links im Bild"),
    "image-right lung": _in("영상 오른쪽의 폐", "Lunge rechts im Bild"),
    "L mark": _in("L 표지", "L-Marke"),
    "R mark": _in("R 표지", "R-Marke"),
    "Area": _in("면적", "Fläche"),
    "Area of the right lung by the left lung's": _in(
        "왼쪽 폐에 대한 오른쪽 폐의 면적비", "Fläche rechte durch linke Lunge"
    ),
    "Area of the image-left lung by the image-right lung's": _in(
        "영상 오른쪽 폐에 대한 왼쪽 폐의 면적비", "Fläche bildlinke durch bildrechte Lunge"
    ),
    "Image View": _in("촬영 방향", "Aufnahmerichtung"),
    "Long Axis": _in("장경", "Längster Durchmesser"),
    "Mean Attenuation Coefficient": _in("평균 감쇠 계수", "Mittlere Dichte"),
    "Number of separate regions": _in("분리된 영역 수", "Anzahl getrennter Bereiche"),
    "Probability": _in("확률", "Wahrscheinlichkeit"),
    "Share of the image's area": _in("영상 면적 중 비율", "Anteil an der Bildfläche"),
    "Share of the networks that agree, mean over the segment": _in(
        "일치하는 신경망의 비율 (영역 평균)", "Anteil einiger Netze, Mittel im Segment"
    ),
    "Volume": _in("부피", "Volumen"),
    "Contrast-enhanced": _in("조영증강", "Mit Kontrastmittel"),
    "Not contrast-enhanced": _in("비조영", "Ohne Kontrastmittel"),
    "Other view": _in("기타", "Andere Richtung"),
    "Uncertain": _in("불확실", "Unsicher"),
    "frontal": _in("정면", "frontal"),
    "lateral": _in("측면", "seitlich"),
    "pixels": _in("화소", "Pixel"),
}

_REMARKS: Mapping[str, Translations] = {
    "{} reaches the end of the stack: its volume may be that of a part": _in(
        "{}: 영상 범위의 끝에 닿아 있어 부피가 일부만의 값일 수 있음",
        "{} reicht bis ans Ende des Stapels: Das Volumen ist womöglich das eines Teils",
    ),
    "a picture has neither size nor Hounsfield units: nothing was measured": _in(
        "크기와 HU 정보가 없는 그림이므로 측정하지 않음",
        "Ein Bild ohne Maßstab und Hounsfield-Einheiten: Nichts wurde gemessen",
    ),
    "no lung was found": _in("폐가 발견되지 않음", "Es wurde keine Lunge gefunden"),
    "only one lung was found": _in("한쪽 폐만 발견됨", "Es wurde nur eine Lunge gefunden"),
    "outside the trained age range: the patient is {} years old, under {}": _in(
        "학습된 연령 범위 밖: 환자는 {}세로 {}세 미만", "Außerhalb des trainierten Alters: {} Jahre, unter {}"
    ),
    "outside the trained body region (chest): {}": _in(
        "학습된 부위(흉부) 밖: {}", "Außerhalb der trainierten Körperregion (Thorax): {}"
    ),
    "outside the trained domain (white light): {}": _in(
        "학습된 조건(백색광) 밖: {}", "Außerhalb des Trainierten (Weißlicht): {}"
    ),
    "{} of {} frames looked at show a polyp; the film has {}": _in(
        "분석한 {1}개 프레임 중 {0}개에서 용종이 보임; 동영상 전체 {2}개",
        "{} von {} betrachteten Einzelbildern zeigen einen Polypen; der Film hat {}",
    ),
    "mark and header disagree: the mark is {}, {} is {}": _in(
        "표지와 헤더가 다름: 표지는 {}, {} 값은 {}", "Marke und Header widersprechen sich: Die Marke ist {}, {} ist {}"
    ),
    "mark and header disagree: the {} mark is on the image's {} half, "
    "where PatientOrientation has the patient's {} side": _in(
        "표지와 헤더가 다름: {} 표지가 영상의 {}에 있으나 PatientOrientation에 따르면 환자의 {}임",
        "Marke und Header widersprechen sich: Die Marke {} liegt im Bild {}, "
        "nach PatientOrientation liegt der Patient dort {}",
    ),
    "PatientOrientation does not give the row direction: lungs are named by the image's sides": _in(
        "PatientOrientation이 행 방향을 알려 주지 않아 폐를 영상의 좌우로 표기함",
        "PatientOrientation nennt keine Zeilenrichtung: Die Lungen sind nach den Seiten des Bildes benannt",
    ),
    "left": _in("왼쪽", "links"),
    "right": _in("오른쪽", "rechts"),
    "unusual: {}": _in("이례적임: {}", "Ungewöhnlich: {}"),
}

_TABLE: Mapping[str, Translations] = {**_PAGE, **_TITLES, **_FOUND, **_REMARKS}


def say(language: Language, text: str, *values: object) -> str:
    """Return a text of the tables in a language, its places filled with values."""
    wanted = text if language == "en" else _TABLE[text][language]
    return wanted.format(*values)


def translate(language: Language, text: str) -> str:
    """Return a pipeline's text in a language where the tables have it, else the text as the pipeline says it."""
    if language == "en":
        return text
    if text in _TABLE:
        return _TABLE[text][language]
    for pattern, known in _PATTERNS:
        if found := pattern.fullmatch(text):
            return known[language].format(*(translate(language, value) for value in found.groups()))
    return text


def every_text(language: Language) -> tuple[str, ...]:
    """Return every text of the tables in a language."""
    return tuple(_TABLE) if language == "en" else tuple(known[language] for known in _TABLE.values())


_PATTERNS = tuple(
    (re.compile("(.+?)".join(map(re.escape, text.split("{}")))), known)
    for text, known in _REMARKS.items()
    if "{}" in text
)
