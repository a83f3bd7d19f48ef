"use strict";
// The reader of an exit package. It loads script files of the package as they are needed, shows text as text, and asks
// nobody anything: the page's policy allows nothing but files beside it.
const hoSo = (() => {
  const SHOWN = 200;
  const SAY = {
    vi: {
      find: "Tìm người bệnh", choose: "Chọn một người bệnh để xem hồ sơ.", at: "Dữ liệu đến",
      foot: "Trang này chỉ đọc các tệp trong gói, không dùng mạng. Bản đầy đủ nằm trong các thư mục fhir, csv và contents; xem dac-ta.md.",
      opening: "Đang mở danh sách…", found: "người bệnh", first: "Đang hiện", of: "trong", nobody: "Không tìm thấy ai.",
      male: "Nam", female: "Nữ", other: "Khác", unknown: "Không rõ", born: "Sinh", nothing: "Không có mục nào.",
      missing: "Không mở được tệp", file: "Mở tệp", image: "Tệp DICOM", page: "Xem hồ sơ bệnh án", empty: "(không có tên)",
      allergies: "Dị ứng", conditions: "Chẩn đoán", medicines: "Thuốc", results: "Kết quả", encounters: "Lượt khám",
      notes: "Ghi chép", reports: "Phiếu kết quả", procedures: "Thủ thuật", immunizations: "Tiêm chủng",
      documents: "Giấy tờ", images: "Hình ảnh",
    },
    en: {
      find: "Find a patient", choose: "Choose a patient to see the record.", at: "Data up to",
      foot: "This page reads only the files of the package and uses no network. Everything is in the folders fhir, csv and contents; see dac-ta.md.",
      opening: "Opening the list…", found: "patients", first: "Showing", of: "of", nobody: "Nobody was found.",
      male: "Male", female: "Female", other: "Other", unknown: "Unknown", born: "Born", nothing: "Nothing is here.",
      missing: "A file cannot be opened", file: "Open file", image: "DICOM file", page: "Read medical records", empty: "(no name)",
      allergies: "Allergies", conditions: "Diagnoses", medicines: "Medicines", results: "Results", encounters: "Encounters",
      notes: "Notes", reports: "Reports", procedures: "Procedures", immunizations: "Immunizations",
      documents: "Documents", images: "Images",
    },
  };
  const ORDER = ["allergies", "conditions", "medicines", "results", "encounters", "notes", "reports", "procedures",
    "immunizations", "documents", "images"];
  const place = (id) => document.getElementById(id);
  let language = "vi", about = null, everybody = [], shards = new Map(), chosen = null, complete = false;

  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const fold = (text) => text.toLowerCase().replace(/đ/g, "d").normalize("NFKD").replace(/[\u0300-\u036f]/g, "")
    .replace(/\s+/g, " ").trim();
  const numbered = (name, number) => `reader/${name}-${String(number).padStart(5, "0")}.js`;
  const load = (path) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = () => { script.remove(); resolve(); };
    script.onerror = () => { script.remove(); reject(new Error(path)); };
    document.head.append(script);
  });
  const day = (text) => {
    const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text || "");
    return parts ? `${parts[3]}/${parts[2]}/${parts[1]}` : text || "";
  };

  const matching = () => {
    const asked = fold(place("find").value).split(" ").filter(Boolean);
    if (!asked.length) return everybody;
    return everybody.filter((one) => asked.every((word) => one[2].includes(word) || fold(one[5]).includes(word)));
  };
  const list = () => {
    const found = matching(), say = SAY[language];
    place("patients").replaceChildren(...found.slice(0, SHOWN).map((one) => {
      const item = make("li"), button = make("button");
      button.type = "button";
      button.append(make("strong", one[1] || say.empty), make("span", [say[one[3]], day(one[4])].filter(Boolean).join(" · ")),
        make("small", one[5]));
      if (chosen && chosen[0] === one[0]) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => open(one));
      item.append(button);
      return item;
    }));
    place("count").textContent = !found.length && complete ? say.nobody
      : !complete ? say.opening
      : found.length > SHOWN ? `${say.first} ${SHOWN} ${say.of} ${found.length} ${say.found}` : `${found.length} ${say.found}`;
  };

  const files = (kind, paths) => {
    const cell = make("div", "", "files");
    paths.forEach((path, number) => {
      const link = make("a", `${kind === "images" ? SAY[language].image : SAY[language].file}${paths.length > 1 ? ` ${number + 1}` : ""}`);
      link.href = path;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      if (/\.(jpg|png)$/.test(path)) {
        const picture = make("img");
        picture.src = path;
        picture.alt = "";
        picture.loading = "lazy";
        link.prepend(picture);
      }
      cell.append(link);
    });
    return cell;
  };
  const section = (kind, lines) => {
    const part = make("section"), heading = make("h3", `${SAY[language][kind]} (${lines.length})`), table = make("table");
    for (const line of lines) {
      const row = make("tr"), last = make("td");
      if (Array.isArray(line[3])) last.append(make("span", line[2]), files(kind, line[3]));
      else last.textContent = line[2];
      const when = make("td", day(line[0]), "when");
      row.append(when, make("td", line[1]), last);
      table.append(row);
    }
    part.append(heading, table);
    return part;
  };
  const chart = () => {
    const say = SAY[language], article = place("chart");
    if (!chosen) return article.replaceChildren(make("p", say.choose, "hint"));
    const parts = (shards.get(chosen[6]) || {})[chosen[0]] || {};
    const head = make("header");
    head.append(make("h2", chosen[1] || say.empty), make("p", [say[chosen[3]], chosen[4] && `${say.born} ${day(chosen[4])}`].filter(Boolean).join(" · ")),
      make("p", chosen[5], "codes"));
    const sections = ORDER.filter((kind) => parts[kind]).map((kind) => section(kind, parts[kind]));
    article.replaceChildren(head, ...(sections.length ? sections : [make("p", say.nothing, "hint")]));
  };
  const open = async (one) => {
    chosen = one;
    try {
      if (!shards.has(one[6])) {
        shards.clear();
        await load(numbered("charts", one[6]));
      }
    } catch (error) {
      place("chart").replaceChildren(make("p", `${SAY[language].missing}: ${error.message}`, "hint"));
      return;
    }
    list();
    chart();
    place("chart").focus();
  };

  const speak = () => {
    const say = SAY[language];
    document.documentElement.lang = language;
    document.title = about ? `${say.page} – ${about.name}` : say.page;
    document.querySelectorAll("[data-say]").forEach((each) => { each.textContent = say[each.dataset.say]; });
    if (about) {
      place("house").textContent = about.name;
      place("moment").textContent = `${say.at} ${about.moment}`;
    }
    place("language").textContent = language === "vi" ? "EN" : "VI";
    place("language").setAttribute("aria-label", language === "vi" ? "English" : "Tiếng Việt");
    list();
    chart();
  };
  const start = async () => {
    place("find").addEventListener("input", list);
    place("language").addEventListener("click", () => { language = language === "vi" ? "en" : "vi"; speak(); });
    try {
      await load("reader/about.js");
      speak();
      for (let number = 1; number <= about.lists; number += 1) {
        await load(numbered("patients", number));
        list();
      }
    } catch (error) {
      place("count").textContent = `${SAY[language].missing}: ${error.message}`;
      return;
    }
    everybody.sort((one, other) => (one[2] < other[2] ? -1 : one[2] > other[2] ? 1 : 0));
    complete = true;
    list();
    place("find").focus();
  };
  window.addEventListener("DOMContentLoaded", start);

  return {
    about: (told) => { about = told; },
    patients: (some) => { everybody = everybody.concat(some); },
    charts: (number, some) => { shards.set(number, some); },
  };
})();
